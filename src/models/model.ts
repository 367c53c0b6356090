/**
 * What an architecture hands to the actors: the steps that a microbatch takes through a stage, each a traced program
 * over named weights, and where it leaves the stage for a mixture-of-experts layer. Layers of the same shape share one
 * program, so that a device compiles it once.
 *
 * Shape suffixes, here and in every file of this folder: B sequences of a microbatch, T tokens of a sequence, R = B·T
 * rows, D hidden, H heads, d head width, F feed-forward width, V vocabulary, E experts, K experts a token visits,
 * S slots (rows sent to experts).
 */
import type { Precision } from '../kernels/precision.ts';
import type { Program } from '../kernels/program.ts';
import type { Parameter } from './parameter.ts';

/** Weights of a step: the program's weight names to the model's parameters. */
export type Weights = Readonly<Record<string, Parameter>>;

/**
 * One step of a microbatch. Bindings by kind: `embed` tokens_R → y_RD; `block` x_RD → y_RD (and h_RD when an exchange
 * follows: the normed rows that the router sees); `merge` x_RD, moe_RD → y_RD; `head` x_RD, targets_R → losses_R.
 */
export interface ProgramStep {
  readonly kind: 'embed' | 'block' | 'merge' | 'head';
  readonly layer: number;
  readonly program: Program;
  readonly weights: Weights;
}

/** The rows h_RD go to the router of `layer` and come back as moe_RD. */
export interface ExchangeStep {
  readonly kind: 'exchange';
  readonly layer: number;
}

export type Step = ProgramStep | ExchangeStep;

/** The programs of one mixture-of-experts layer; all layers of a model share them. */
export interface MixturePrograms {
  /** h_RD, key, router_ED → logits_RE, probs_RE. Without `key` when there is no jitter (evaluation). */
  readonly score: Program;
  readonly scoreEvaluation: Program;
  /** h_RD, order_S → rows_SD: the rows of the chosen tokens, packed by expert, in the dispatch's precision. */
  readonly dispatch: Program;
  /** outputs_SD, gates_RK, slots_RK → moe_RD: gate times expert output, summed in top-k order. */
  readonly combine: Program;
  /** rows_SD and the weights of a feed-forward network → outputs_SD: the expert itself. */
  readonly expert: Program;
}

export interface Mixture {
  readonly layers: readonly number[];
  readonly programs: MixturePrograms;
  router(layer: number): Weights;
  expert(layer: number, expert: number): Weights;
}

export interface Model {
  readonly batch: number;
  readonly sequence: number;
  readonly steps: readonly Step[];
  /** x_RD, position_2 → logits_2V of the row named twice in position_2: the head of generation. */
  readonly logits: ProgramStep;
  readonly mixture: Mixture | null;
}

/** What a model is built from. */
export interface ModelShape {
  readonly architecture: 'transformer' | 'switch';
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly ffn: number;
  readonly vocabulary: number;
  readonly ropeTheta: number;
  readonly normEps: number;
  /** What products of blocks and experts that name none round their operands to. */
  readonly precision: Precision;
  readonly mixture: MixtureShape | null;
}

export interface MixtureShape {
  readonly experts: number;
  readonly topK: number;
  readonly everyNLayers: number;
  readonly jitterEps: number;
  readonly dispatchDtype: 'bf16' | 'fp32';
  /** Most rows that one expert takes of one microbatch. */
  readonly maxCapacity: number;
}

/** Is the feed-forward network of `layer` a mixture? Every n-th is, the last of each n (arXiv 2101.03961 table 9 has every other). */
export function isSparse(shape: ModelShape, layer: number): boolean {
  return shape.mixture !== null && layer % shape.mixture.everyNLayers === shape.mixture.everyNLayers - 1;
}
