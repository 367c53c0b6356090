/** The settings of a trace are a run's own: beside a model's config they say what its programs are made for. */
import type { Precision } from '../kernels/precision.ts';
import type { Objective } from './objectives/objective.ts';

export interface TraceSettings {
  /** Sequences of a microbatch, and tokens of each. */
  readonly batch: number;
  readonly sequence: number;
  /** Whether samples lie one behind the other in a sequence, and must not see each other: see `segments.ts`. */
  readonly segments: boolean;
  /** Whether blocks show what happens inside them: see `taps.ts`. */
  readonly taps: boolean;
  /** What products of blocks and experts that name none round their operands to. */
  readonly precision: Precision;
  /** What the model is trained towards: its last block. */
  readonly objective: Objective;
}
