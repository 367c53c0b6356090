/**
 * `Batches` hold the tokens of a run: training microbatches from the blend, evaluation microbatches from its held-out
 * windows. Each is a pure function of the microbatch's identity.
 */
import type { Blend, HeldOutWindows } from '../data/index.ts';
import type { BatchPort, Microbatch } from '../actors/stage/batch_port.ts';
import type { Unit } from '../actors/protocol/pass.ts';

export interface BatchesShape {
  readonly globalBatchSize: number;
  readonly globalMicrobatches: number;
  readonly sequenceLength: number;
}

export class Batches implements BatchPort {
  private readonly blend: Blend;
  readonly heldOut: HeldOutWindows;
  private readonly shape: BatchesShape;

  constructor(blend: Blend, heldOut: HeldOutWindows, shape: BatchesShape) {
    this.blend = blend;
    this.heldOut = heldOut;
    this.shape = shape;
  }

  /** Microbatches that hold all held-out windows; the last one may be filled up with ignored rows. */
  get evaluationMicrobatches(): number {
    return Math.ceil(this.heldOut.rows / this.rows);
  }

  microbatch({ mode, step, microbatch }: Unit): Microbatch {
    const { globalBatchSize, globalMicrobatches, sequenceLength } = this.shape;
    if (mode === 'train') {
      const windows = this.blend.microbatch(step, microbatch, {
        globalBatchSize,
        microbatches: globalMicrobatches,
        sequenceLength,
      });
      return split(windows, this.rows, sequenceLength);
    }
    const width = sequenceLength + 1;
    const windows = this.heldOut.tokens.subarray(microbatch * this.rows * width, (microbatch + 1) * this.rows * width);
    return split(windows, this.rows, sequenceLength);
  }

  private get rows(): number {
    return this.shape.globalBatchSize / this.shape.globalMicrobatches;
  }
}

/** Windows of T + 1 tokens as inputs and their successors; rows that are not there predict nothing. */
function split(windows: Int32Array, rows: number, length: number): Microbatch {
  const tokens = new Int32Array(rows * length);
  const targets = new Int32Array(rows * length).fill(-1);
  for (let row = 0; row * (length + 1) < windows.length; row++) {
    const window = windows.subarray(row * (length + 1), (row + 1) * (length + 1));
    tokens.set(window.subarray(0, length), row * length);
    targets.set(window.subarray(1), row * length);
  }
  return { tokens, targets };
}
