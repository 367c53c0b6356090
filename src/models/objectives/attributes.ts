/**
 * Attribute regression: a linear head with a bias on the last token of each sequence, one output an attribute, trained by the
 * squared error of those attributes that are labelled. It is the reward model of Nemotron-4 340B (arXiv 2406.11704 §3.1), with
 * the attributes of HelpSteer2 (arXiv 2406.08673), and takes the place of the language model's head. A attributes.
 */
import { add } from '../../kernels/ops/add.ts';
import { gatherRows } from '../../kernels/ops/gather_rows.ts';
import { mul } from '../../kernels/ops/mul.ts';
import { slice } from '../../kernels/ops/slice.ts';
import { sub } from '../../kernels/ops/sub.ts';
import { f32, i32, trace, weight, type Values } from '../../kernels/trace.ts';
import { linear } from '../blocks/linear.ts';
import { batchStreams } from '../model.ts';
import { bias, matrix } from '../parameter.ts';
import { specsOf } from '../traced_block.ts';
import type { Objective } from './objective.ts';

/** In the order of the head's outputs; labels are from 0 to 4. */
export const attributeNames = ['helpfulness', 'correctness', 'coherence', 'complexity', 'verbosity'] as const;

export const attributes: Objective = ({ config, batch: B, sequence: T, norm }) => {
  const { hidden_size: D } = config;
  const A = attributeNames.length;
  const specs = {
    x_RD: f32([B * T, D]),
    last_B: i32([B]),
    labels_BA: f32([B, A]),
    labelled_BA: f32([B, A]),
    ...specsOf(norm.weights),
    head_AD: weight([A, D]),
    head_bias_A: weight([A]),
  };
  return {
    program: trace('attributes_head', specs, (w: Values<string>) => {
      const rows_BD = norm.apply(gatherRows(w.x_RD, w.last_B), w);
      const missed_BA = sub(add(linear(rows_BD, w.head_AD), w.head_bias_A), w.labels_BA);
      const losses_BA = mul(mul(missed_BA, missed_BA), w.labelled_BA);
      const each = attributeNames.map((name, i) => [name, slice(losses_BA, 1, i, i + 1)] as const);
      return { losses_BA, ...Object.fromEntries(each) };
    }),
    losses: 'losses_BA',
    weights: {
      ...norm.weights,
      head_AD: matrix('score.weight', A, D, { isHidden: false }),
      head_bias_A: bias('score.bias', A),
    },
    reads: {
      last_B: batchStreams.last,
      labels_BA: batchStreams.labels,
      labelled_BA: batchStreams.labelled,
    },
    reports: attributeNames,
    weightsOf: ({ [batchStreams.labelled]: labelled_BA }) => ({
      losses_BA: labelled_BA,
      ...Object.fromEntries(attributeNames.map((name, i) => [name, column(labelled_BA, i, A)])),
    }),
    isLanguageModel: false,
  };
};

const column = (values: ArrayLike<number>, at: number, width: number): number[] =>
  Array.from({ length: values.length / width }, (_, row) => values[row * width + at]);
