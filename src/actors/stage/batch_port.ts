/**
 * A batch port gives a stage its microbatches, by a pure function of their identity, so that no message carries them. A
 * microbatch is named tensors; what of it is padding is a mask, and what of it has no target is −1, and these are two things.
 */
import type { BatchTensors } from '../../models/model.ts';
import type { Unit } from '../protocol/pass.ts';

export interface Microbatch {
  /** By the streams that the model reads, see `batchStreams`. */
  readonly tensors: BatchTensors;
  /** live_R: 0 where a row is padding, which no expert takes; null where none is. */
  readonly live_R: Uint8Array | null;
  /** Whose text each row is of, for losses by corpus; null where nobody asks. */
  readonly corpora: RowCorpora | null;
  /** Bytes of UTF-8 of each row's target, for bits per byte; null where targets are no text. */
  readonly bytes_R: Uint32Array | null;
}

export interface RowCorpora {
  readonly names: readonly string[];
  /** Number of the name. */
  readonly of_R: Uint16Array;
}

export interface BatchPort {
  microbatch(unit: Unit): Microbatch;
  /**
   * What the losses of a training step are divided by, and their gradient: the weights of all elements of all its microbatches.
   * It is known before the first of them goes back.
   */
  weightOf(step: number): number;
}

/** A batch port for whoever opens no pass over data: to plan, to make text. Throws `Error` when it is asked. */
export const noBatches: BatchPort = {
  microbatch: () => refuse(),
  weightOf: () => refuse(),
};

function refuse(): never {
  throw new Error('a batch was asked for where there is no data');
}

/** A batch port has no tensor for a stream that the model reads: objective and data do not fit. */
export class BatchLacks extends Error {
  readonly tag = 'BatchLacks';
  constructor(stream: string, tensors: BatchTensors) {
    super(`the data gives ${Object.keys(tensors).join(', ')}, and the model reads ${stream}; check objective and data`);
    this.name = 'BatchLacks';
  }
}
