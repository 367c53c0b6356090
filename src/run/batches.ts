/**
 * `Batches` hold the tokens of a run: training microbatches from the blend, evaluation microbatches from its held-out
 * windows. Each is a pure function of the microbatch's identity.
 */
import type { Blend, HeldOutWindows } from '../data/index.ts';
import type { BatchPort, Microbatch } from '../actors/stage/batch_port.ts';
import type { Unit } from '../actors/protocol/pass.ts';
import { heldOutName, type Evaluation } from '../actors/training/evaluation.ts';
import { batchStreams } from '../models/model.ts';

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

  /** Microbatches that hold all held-out windows; the last one may be filled up with padding. */
  get evaluations(): readonly Evaluation[] {
    return [{ name: heldOutName, microbatches: Math.ceil(this.heldOut.rows / this.rows) }];
  }

  /** Every token of a window has a target. */
  weightOf(): number {
    return this.shape.globalBatchSize * this.shape.sequenceLength;
  }

  microbatch({ kind, step, microbatch }: Unit): Microbatch {
    const { globalBatchSize, globalMicrobatches, sequenceLength } = this.shape;
    if (kind === 'train') {
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

/** Windows of T + 1 tokens as inputs and their successors; sequences that are not there are padding. */
function split(windows: Int32Array, sequences: number, length: number): Microbatch {
  const tokens_R = new Int32Array(sequences * length);
  const targets_R = new Int32Array(sequences * length).fill(-1);
  const there = windows.length / (length + 1);
  for (let row = 0; row < there; row++) {
    const window = windows.subarray(row * (length + 1), (row + 1) * (length + 1));
    tokens_R.set(window.subarray(0, length), row * length);
    targets_R.set(window.subarray(1), row * length);
  }
  const tensors = { [batchStreams.tokens]: tokens_R, [batchStreams.targets]: targets_R };
  const live_R = there === sequences ? null : new Uint8Array(tokens_R.length).fill(1, 0, there * length);
  return { tensors, live_R, corpora: null, bytes_R: null };
}
