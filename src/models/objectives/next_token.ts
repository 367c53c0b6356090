/**
 * The next token: cross-entropy of each token's successor, in nats. A target of −1 is ignored, which is all that training on the
 * answers of chats needs: what is not to be learnt has no target.
 */
import { linearCrossEntropy } from '../../kernels/ops/linear_cross_entropy.ts';
import { f32, i32, trace, weight, type Values } from '../../kernels/trace.ts';
import { batchStreams } from '../model.ts';
import { specsOf } from '../traced_block.ts';
import type { Objective } from './objective.ts';

export const nextToken: Objective = ({ config, batch, sequence, norm, lmHead_VD }) => {
  const { hidden_size: D, vocab_size: V } = config;
  const R = batch * sequence;
  const specs = { x_RD: f32([R, D]), targets_R: i32([R]), ...specsOf(norm.weights), head_VD: weight([V, D]) };
  return {
    program: trace('head', specs, (w: Values<string>) => ({
      losses_R: linearCrossEntropy(norm.apply(w.x_RD, w), w.head_VD, w.targets_R),
    })),
    weights: { ...norm.weights, head_VD: lmHead_VD },
    losses: 'losses_R',
    reads: { targets_R: batchStreams.targets },
    reports: [],
    weightsOf: ({ [batchStreams.targets]: targets_R }) => ({ losses_R: hasTarget(targets_R) }),
    isLanguageModel: true,
  };
};

const hasTarget = (targets: ArrayLike<number>): Uint8Array => Uint8Array.from(targets, (target) => Number(target >= 0));
