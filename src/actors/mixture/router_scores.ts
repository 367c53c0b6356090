/**
 * The scores of a router on their way between device and host: what each token of a microbatch scores with each expert,
 * and the gradient of that, which the gates and the auxiliary losses give. Shape suffixes: R tokens, E experts, K choices
 * a token.
 */
import type { Device, Tensor } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import type { Mixture } from '../../models/model.ts';
import { addBalanceGradient, balance, type Balance, type BalanceRule } from './balance.ts';
import type { Unit } from '../protocol/pass.ts';
import type { RouterContext, RouterPrograms } from './router_context.ts';
import type { Routing } from './routing.ts';

/** What a microbatch's tokens score with each expert, on the host. */
export interface Scores {
  readonly logits_RE: Float32Array;
  readonly probs_RE: Float32Array;
}

interface RouterScoresParts {
  readonly device: Device;
  readonly programs: Pick<RouterPrograms, 'score' | 'scoreEvaluation'>;
  readonly mixture: Pick<Mixture, 'moe' | 'number'>;
  readonly seed: number;
  readonly place: { readonly globalMicrobatches: number };
}

/** Distinguishes the router's noise from other uses of the seed. */
const jitterPurpose = 1;

export class RouterScores {
  private readonly parts: RouterScoresParts;
  private readonly rule: BalanceRule;
  /** Where the gradients are made; as long as the longest microbatch so far needs. */
  private gradient: { readonly dProbs: Float32Array; readonly dLogits: Float32Array } | null = null;

  constructor(parts: RouterScoresParts) {
    this.parts = parts;
    const { num_experts, aux_loss_coef, z_loss_coef } = parts.mixture.moe;
    this.rule = { experts: num_experts, auxCoef: aux_loss_coef, zCoef: z_loss_coef };
  }

  /** Scores the rows h_RD of a context; in training with noise that the microbatch's identity fixes. */
  async score({ kind, step, microbatch }: Unit, { score }: RouterContext, tokens: number): Promise<Scores> {
    const { device, programs, seed, mixture } = this.parts;
    if (kind !== 'train') {
      await programs.scoreEvaluation.run(score, { tokens });
    } else {
      if ('key' in score)
        device.write(score.key, Int32Array.of(seed, jitterPurpose, mixture.number, step, microbatch * tokens));
      await programs.score.forward.run(score, { tokens });
    }
    return this.read(score, tokens);
  }

  /** The auxiliary losses of a microbatch. */
  losses({ logits_RE, probs_RE }: Scores, { first_E }: Routing, live_R: Uint8Array | null): Balance {
    return balance(logits_RE, probs_RE, first_E, this.rule, live_R);
  }

  /** Writes d(loss)/d(probabilities) and d(loss)/d(logits) of a context: through the gates, and of the auxiliary losses. */
  async writeGradient(
    { score, combine }: RouterContext,
    { experts_RK, first_E }: Routing,
    { tokens, live_R, lossScale }: { tokens: number; live_R: Uint8Array | null; lossScale: number },
  ): Promise<void> {
    const { device, mixture, place } = this.parts;
    const { num_experts: E, top_k: K } = mixture.moe;
    const [{ logits_RE, probs_RE }, dGates_RK] = await Promise.all([
      this.read(score, tokens),
      this.head(combine.d_gates_RK, tokens * K),
    ]);
    const gradients = this.zeros(tokens * E);
    for (let i = 0; i < dGates_RK.length; i++)
      gradients.dProbs_RE[Math.floor(i / K) * E + experts_RK[i]] = dGates_RK[i];
    const share = lossScale / place.globalMicrobatches;
    addBalanceGradient(logits_RE, probs_RE, first_E, this.rule, share, gradients, live_R);
    device.write(score.d_probs_RE, gradients.dProbs_RE);
    device.write(score.d_logits_RE, gradients.dLogits_RE);
  }

  /** Zeros, in memory that serves one microbatch after another. */
  private zeros(length: number): { dProbs_RE: Float32Array; dLogits_RE: Float32Array } {
    if (this.gradient === null || this.gradient.dProbs.length < length) {
      this.gradient = { dProbs: new Float32Array(length), dLogits: new Float32Array(length) };
    }
    const { dProbs, dLogits } = this.gradient;
    return { dProbs_RE: dProbs.subarray(0, length).fill(0), dLogits_RE: dLogits.subarray(0, length).fill(0) };
  }

  private async read(score: RouterContext['score'], tokens: number): Promise<Scores> {
    const length = tokens * this.parts.mixture.moe.num_experts;
    const [logits_RE, probs_RE] = await Promise.all([
      this.head(score.logits_RE, length),
      this.head(score.probs_RE, length),
    ]);
    return { logits_RE, probs_RE };
  }

  private async head(tensor: Tensor, length: number): Promise<Float32Array> {
    return floats('router', await this.parts.device.read(tensor, length));
  }
}
