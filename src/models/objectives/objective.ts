/**
 * The joint between a model and what it is trained towards: an objective is the last block of the last stack. It reads the
 * stack's rows and tensors of the batch, and gives losses and named values; what is summed over which elements is said beside
 * it, for the host. Shape suffixes: see `model.ts`; N elements that have a loss (tokens, sequences, pairs, attributes).
 */
import type { Value } from '../../kernels/graph.ts';
import type { Program } from '../../kernels/program.ts';
import type { Values } from '../../kernels/trace.ts';
import type { ModelConfig } from '../config.ts';
import type { BatchTensors, Weights } from '../model.ts';
import type { Parameter } from '../parameter.ts';

/** What an objective is built from. */
export interface HeadParts {
  readonly config: ModelConfig;
  /** Sequences of a microbatch, and tokens of each. */
  readonly batch: number;
  readonly sequence: number;
  /** The stack's final norm: its weights by a program's names, and what it makes of rows with those. */
  readonly norm: {
    readonly weights: Weights;
    readonly apply: (x_RD: Value, values: Values<string>) => Value;
  };
  /** The language model's head, which may be the embedding; an objective that has a head of its own leaves it out of the model. */
  readonly lmHead_VD: Parameter;
}

export interface Head {
  /** x_RD and tensors of the batch → losses, and what is reported beside them. */
  readonly program: Program;
  /** The output that training begins its way back from, [N ...]. */
  readonly losses: string;
  readonly weights: Weights;
  /** Program input to stream of the batch; x_RD is the stack's. */
  readonly reads: Readonly<Record<string, string>>;
  /** Outputs that are only summed for reports: no gradient goes through them. */
  readonly reports: readonly string[];
  /**
   * What each element of each output counts, by the output's name: 0 where it is masked. A step's loss is Σ losses / Σ weights
   * of the losses over all of its microbatches, and its gradient has the same denominator.
   */
  readonly weightsOf: (tensors: BatchTensors) => Readonly<Record<string, ArrayLike<number>>>;
  /** Whether the model has the language model's head still, and so can make text. */
  readonly isLanguageModel: boolean;
}

export type Objective = (parts: HeadParts) => Head;
