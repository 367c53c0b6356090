/**
 * A model as the actors get it: stacks of layers, each a list of steps over named streams. A step runs a traced program over
 * named weights, or hands rows to a peer. Families describe models this way, and the actors interpret it.
 *
 * Shape suffixes, here and in every file of this folder: B sequences of a microbatch, T tokens of a sequence, R = B·T
 * rows, D hidden, H heads, d head width, F feed-forward width, V vocabulary, E experts, K experts a token visits,
 * S slots (rows sent to experts).
 */
import type { Data } from '../kernels/dtype.ts';
import type { Program } from '../kernels/program.ts';
import type { MixtureConfig } from './config.ts';
import type { Parameter } from './parameter.ts';

/** Weights of a step: the program's weight names to the model's parameters. */
export type Weights = Readonly<Record<string, Parameter>>;

/**
 * One step of a microbatch through a stage, over named streams: rows that the batch, a program or a peer gives. A stream is
 * written once; who reads it, and how often, follows from the steps.
 */
export type Step = RunStep | HandStep;

export interface RunStep {
  readonly kind: 'run';
  /** One object for all layers of one shape, so that a device compiles it once. */
  readonly program: Program;
  readonly weights: Weights;
  /** Program input to stream, and program output to stream. */
  readonly reads: Readonly<Record<string, string>>;
  readonly writes: Readonly<Record<string, string>>;
  /** Outputs that nothing is learnt from, they are only read; default: none. */
  readonly reports?: readonly string[];
}

/** Gives rows to a peer; `takes` is there once it has answered. Steps that do not read it go on meanwhile. */
export interface HandStep {
  readonly kind: 'hand';
  /** The id of a mixture. */
  readonly to: string;
  readonly gives: string;
  readonly takes: string;
}

/** What a pipeline does not divide: a decoder layer, an embedding, a head. */
export interface Layer {
  readonly name: string;
  /** Its number among those that a pipeline divides evenly; null: it goes with its neighbour, as embeddings and heads do. */
  readonly index: number | null;
  readonly steps: readonly Step[];
  readonly mixtures: readonly Mixture[];
}

/** Layers one after another, and the stream that they make. */
export interface Stack {
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly gives: string;
}

/** Streams of the batch: they are there from the beginning, in every stage that reads them. */
export const batchStreams = {
  /** tokens_R, i32. */
  tokens: 'batch.tokens',
  /** targets_R, i32: the token that follows each; −1 where none is asked for. */
  targets: 'batch.targets',
  /** begins_R, i32: where in its sequence the sample of each row begins, see `segments.ts`. */
  begins: 'batch.begins',
  /** live_R1, f32: 0 where a row is padding, else 1; only models with taps read it, and any microbatch has it. */
  live: 'batch.live',
  /** last_B, i32: the row of each sequence's last token. */
  last: 'batch.last',
  /** labels_BA, f32, and labelled_BA, which is 0 where there is no label, else 1. */
  labels: 'batch.labels',
  labelled: 'batch.labelled',
} as const;

/** The programs of one mixture-of-experts layer; layers of the same shape share them. */
export interface MixturePrograms {
  /** h_RD, key, router_ED → logits_RE. Without `key` when there is no jitter (evaluation). */
  readonly score: Program;
  readonly scoreEvaluation: Program;
  /** logits_RE, and where experts are balanced by it bias_E → choices_RP, scores_RP: all that the host reads. */
  readonly choose: Program;
  /** logits_RE, taken_RK, live_R1, load_GE, z_weight_1 → gates_RK, aux_1, z_1, see `gate_programs.ts`. */
  readonly gates: Program;
  /** h_RD, order_S → rows_SD: the rows of the chosen tokens, packed by expert, in the dispatch's precision. */
  readonly dispatch: Program;
  /** outputs_SD, gates_RK, slots_RK → moe_RD: gate times expert output, summed in top-k order. */
  readonly combine: Program;
  /** rows_SD and the weights of a feed-forward network → outputs_SD: the expert itself. */
  readonly expert: Program;
}

/** A mixture of experts in its place; a layer may have several, each as wide as it wants to be, in and out. */
export interface Mixture {
  /** The place of its parameters, `model.layers.3.mlp`; what steps hand their rows to. */
  readonly id: string;
  /** What addresses, roles and metrics call it: `3` in the place of a layer's feed-forward network, `3.in_proj` elsewhere. */
  readonly name: string;
  /** What its random numbers go by; no other mixture of the model has it. */
  readonly number: number;
  readonly layer: number;
  readonly experts: number;
  /** How it routes. */
  readonly moe: MixtureConfig;
  /** The step that hands it rows. */
  readonly hand: HandStep;
  /** Of all mixtures of one shape. */
  readonly programs: MixturePrograms;
  readonly router: Weights;
  readonly expert: (index: number) => Weights;
}

export interface Model {
  readonly batch: number;
  readonly sequence: number;
  /** In the order in which they depend on each other; a decoder has one. */
  readonly stacks: readonly Stack[];
  /** What its losses and reports are, and which elements of them count. */
  readonly objective: ModelObjective;
  /**
   * Reads what the last stack gives as x_RD, and position_2 → logits_2V of the row named twice there: the head of generation.
   * Null where the objective has taken the place of the language model's head.
   */
  readonly logits: Pick<RunStep, 'program' | 'weights'> | null;
}

/** Tensors of a microbatch on the host, by stream. */
export type BatchTensors = Readonly<Record<string, Data>>;

/** An objective in its place in a model. */
export interface ModelObjective {
  /** losses_N: the stream that training begins its way back from. */
  readonly losses: string;
  /** Streams of what is reported beside the losses, by name. */
  readonly reports: Readonly<Record<string, string>>;
  /** What each element counts, by stream. */
  readonly weightsOf: (tensors: BatchTensors) => ReadonlyMap<string, ArrayLike<number>>;
}

export const layersOf = ({ stacks }: Pick<Model, 'stacks'>): Layer[] => stacks.flatMap(({ layers }) => layers);

export const mixturesOf = (model: Pick<Model, 'stacks'>): Mixture[] =>
  layersOf(model).flatMap(({ mixtures }) => mixtures);

/** The stream that a model's last stack gives: rows behind its last layer. */
export const lastRowsOf = ({ stacks }: Pick<Model, 'stacks'>): string => stacks[stacks.length - 1].gives;
