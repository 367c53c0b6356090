/**
 * The gates of a router between device and host: the device scores tokens and gives the experts that each chose, the host admits
 * them, and the device makes gates and auxiliary losses of the outcome, and their gradients. No more than the choices comes to the
 * host, never what each token scores with each expert. Shape suffixes: R tokens, E experts, K experts a token visits, P choices,
 * G parts of a microbatch whose load is balanced apart.
 */
import type { Bindings, Device, Tensor } from '../../kernels/device.ts';
import { floats, ints } from '../../kernels/dtype.ts';
import type { Mixture } from '../../models/model.ts';
import type { Unit } from '../protocol/pass.ts';
import { liveRows, type Choices, type Routing } from './admission.ts';
import type { ChoiceLog } from './choice_log.ts';
import { loadOf, stepLoadOf, type StepLoad } from './load.ts';
import type { RouterContext, RouterPrograms } from './router_context.ts';

/** What the gates of a microbatch came to. */
export interface GateFigures {
  /** alpha · E · Σ f_i P_i: alpha at perfect balance (arXiv 2101.03961 eq. 4). */
  readonly auxLoss: number;
  /** cz · mean over tokens of logsumexp(logits)² (arXiv 2202.08906 eq. 5). */
  readonly zLoss: number;
  /** Rows that are no padding, and Σ over them of logsumexp(logits)². */
  readonly tokens: number;
  readonly logitSquares: number;
}

export interface RouterGatesParts {
  readonly device: Device;
  readonly programs: Pick<RouterPrograms, 'score' | 'scoreEvaluation' | 'choose' | 'gates'>;
  readonly mixture: Pick<Mixture, 'moe' | 'number'>;
  readonly seed: number;
  readonly log: Pick<ChoiceLog, 'recorded'>;
  readonly place: { readonly globalMicrobatches: number };
}

/** Distinguishes the router's noise from other uses of the seed. */
const jitterPurpose = 1;

export class RouterGates {
  private readonly parts: RouterGatesParts;

  constructor(parts: RouterGatesParts) {
    this.parts = parts;
  }

  /**
   * Scores the rows h_RD of a context, in training with noise that the microbatch's identity fixes; gives what they chose, or
   * what the log has for them, without scores.
   */
  async choose(
    unit: Unit,
    { score, choose }: RouterContext,
    { tokens, live_R }: { readonly tokens: number; readonly live_R: Uint8Array | null },
  ): Promise<Choices> {
    const { device, programs, seed, mixture, log } = this.parts;
    const { kind, step, microbatch } = unit;
    if (kind !== 'train') {
      await programs.scoreEvaluation.run(score, { tokens });
    } else {
      if ('key' in score) {
        const key = [seed, jitterPurpose, mixture.number, step, microbatch * tokens];
        device.write(score.key, Int32Array.from(key));
      }
      await programs.score.forward.run(score, { tokens });
    }
    const recorded = await log.recorded(unit);
    if (recorded !== null) return { choices_RP: recorded, scores_RP: new Float32Array(recorded.length), live_R };
    await programs.choose.run(choose, { tokens });
    const [choices, scores] = await Promise.all([
      this.head(choose.choices_RP, tokens),
      this.head(choose.scores_RP, tokens),
    ]);
    // What is read may be the device's own memory, which the next microbatch has.
    return { choices_RP: ints('router', choices).slice(), scores_RP: floats('router', scores).slice(), live_R };
  }

  /**
   * Makes the gates of a microbatch that was admitted, and its auxiliary losses, by the load of its own tokens: of as many rows as
   * it has, which may be fewer than there is memory for. Where the load of the whole step is to count, `balance` makes the losses
   * again. The size of logits is known without a z-loss too.
   */
  async gate({ choose, gates, combine }: RouterContext, choices: Choices, routing: Routing): Promise<GateFigures> {
    const { device, mixture } = this.parts;
    const { live_R } = choices;
    const tokens = choices.choices_RP.length / choose.choices_RP.shape[1];
    const size = gates.live_R1.shape[0] / gates.load_GE.shape[0];
    const live = liveRows(live_R, tokens);
    device.write(gates.taken_RK, routing.experts_RK);
    device.write(combine.slots_RK, routing.slots_RK);
    device.write(gates.live_R1, live_R === null ? new Float32Array(tokens).fill(1) : Float32Array.from(live_R));
    device.write(gates.load_GE, loadOf(choices, mixture.moe, { rows: tokens, size }));
    const { z_loss_coef: coefficient } = mixture.moe;
    // Where there is no z-loss the mean is taken all the same, and has no gradient.
    const weight = coefficient === 0 ? 1 : coefficient;
    device.write(gates.z_weight_1, Float32Array.of(live === 0 ? 0 : weight / live));
    const { aux, z } = await this.run(gates, tokens);
    return { auxLoss: aux, zLoss: coefficient === 0 ? 0 : z, tokens: live, logitSquares: (z / weight) * live };
  }

  /** Makes gates and losses again, by the load of all tokens of the step; gives the balance loss, all else is as it was. */
  async balance({ gates }: RouterContext, load: StepLoad, tokens: number): Promise<number> {
    const { device, mixture, place } = this.parts;
    device.write(gates.load_GE, stepLoadOf(load, mixture.moe, place.globalMicrobatches));
    return (await this.run(gates, tokens)).aux;
  }

  /** Makes the gradients of the rows and of the router's weights, into `leaf`, of those of the gates and the auxiliary losses. */
  async backward(
    { gates, score }: RouterContext,
    leaf: Bindings,
    { routing, tokens, lossScale }: { readonly routing: Routing; readonly tokens: number; readonly lossScale: number },
  ): Promise<void> {
    const { device, programs, place, mixture } = this.parts;
    // What the biases that balance experts go by, see `balance_rule.ts`.
    if ('d_bias_E' in leaf) device.write(leaf.d_bias_E, Float32Array.from(routing.routed_E));
    const share = Float32Array.of(lossScale / place.globalMicrobatches);
    device.write(gates.d_aux_1, share);
    device.write(gates.d_z_1, mixture.moe.z_loss_coef === 0 ? Float32Array.of(0) : share);
    await programs.gates.backward.run(gates, { tokens });
    await programs.score.backward.run({ ...score, ...leaf }, { tokens });
  }

  private async run(
    gates: RouterContext['gates'],
    tokens: number,
  ): Promise<{ readonly aux: number; readonly z: number }> {
    const { device, programs } = this.parts;
    await programs.gates.forward.run(gates, { tokens });
    const [aux, z] = await Promise.all([device.read(gates.aux_1), device.read(gates.z_1)]);
    return { aux: floats('router', aux)[0], z: floats('router', z)[0] };
  }

  private head(tensor: Tensor, rows: number) {
    return this.parts.device.read(tensor, rows * tensor.shape[1]);
  }
}
