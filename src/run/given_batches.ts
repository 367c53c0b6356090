/** Given batches are of sequences that a caller has in memory, one a microbatch: each token is the target of the one before it. */
import type { BatchPort, Microbatch } from '../actors/stage/batch_port.ts';
import type { Unit } from '../actors/protocol/pass.ts';
import { microbatchOf } from './microbatch.ts';
import type { ScoredData } from './scorer.ts';

const name = 'given';

export class GivenBatches implements BatchPort {
  private readonly length: number;
  private sequences: readonly ArrayLike<number>[] = [];
  private step = 0;

  /** Of sequences of at most `length` tokens. */
  constructor(length: number) {
    this.length = length;
  }

  /** Takes sequences in the place of those before, and names them as data to score. */
  give(sequences: readonly ArrayLike<number>[]): ScoredData {
    this.sequences = sequences;
    // Numbers of microbatches begin again, so the step tells them from those before.
    this.step++;
    return { data: name, microbatches: sequences.length, step: this.step };
  }

  microbatch({ microbatch }: Unit): Microbatch {
    const tokens = Int32Array.from(this.sequences[microbatch]);
    const targets = new Int32Array(tokens.length).fill(-1);
    targets.set(tokens.subarray(1));
    const sequence = { tokens, targets, begins: null, labels: null };
    const shape = { sequences: 1, length: this.length };
    return microbatchOf([{ corpus: 0, sequence }], shape, { names: [name], tokenBytes: null });
  }

  /** Nobody trains on them. */
  weightOf(): number {
    return 1;
  }
}
