/** A batch port gives a stage its tokens, by a pure function of the microbatch's identity, so that no message carries them. */
import type { Unit } from '../protocol/pass.ts';

export interface Microbatch {
  /** i32 [R]. */
  readonly tokens: Int32Array;
  /** i32 [R]: the token that follows each; −1 where none is asked for. */
  readonly targets: Int32Array;
}

export interface BatchPort {
  /** The microbatch of a training step, or of the held-out windows when the mode is `evaluate`. */
  microbatch(unit: Unit): Microbatch;
}

/** Rows up to the last one that predicts something: what follows is padding, and takes nobody's slot. */
export function liveRows(targets: Int32Array): number {
  let live = targets.length;
  while (live > 0 && targets[live - 1] < 0) live--;
  return live;
}
