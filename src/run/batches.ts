/**
 * `Batches` make the microbatches of a run from sequences: training ones are drawn from the blend, evaluations have theirs. Each is a
 * pure function of the microbatch's identity.
 */
import type { DrawnSequence, Draws } from '../data/index.ts';
import type { Unit } from '../actors/protocol/pass.ts';
import type { BatchPort, Microbatch } from '../actors/stage/batch_port.ts';
import type { Evaluation } from '../actors/training/evaluation.ts';
import type { EvaluatedData } from './evaluated_data.ts';
import { microbatchOf } from './microbatch.ts';

export interface BatchesShape {
  readonly globalBatchSize: number;
  readonly globalMicrobatches: number;
  readonly sequenceLength: number;
}

export class Batches implements BatchPort {
  private readonly draws: Draws;
  private readonly evaluated: ReadonlyMap<string, EvaluatedData>;
  private readonly shape: BatchesShape;
  private readonly tokenBytes: Uint32Array | null;

  /** `tokenBytes` are bytes of text by id; null where nobody asks for bits per byte. */
  constructor(
    draws: Draws,
    evaluated: ReadonlyMap<string, EvaluatedData>,
    shape: BatchesShape,
    tokenBytes: Uint32Array | null,
  ) {
    this.draws = draws;
    this.evaluated = evaluated;
    this.shape = shape;
    this.tokenBytes = tokenBytes;
  }

  /** Lines about evaluations that score less than was wished for, or than there is. */
  get remarks(): readonly string[] {
    return [...this.evaluated.values()].flatMap(({ remark }) => remark ?? []);
  }

  /** Microbatches that hold all sequences of each evaluation; the last one may be filled up with padding. */
  get evaluations(): readonly Evaluation[] {
    return [...this.evaluated].map(([name, { sequences }]) => ({
      name,
      microbatches: Math.ceil(sequences.count / this.rows),
    }));
  }

  weightOf(step: number): number {
    const { globalBatchSize } = this.shape;
    let weight = 0;
    for (let row = 0; row < globalBatchSize; row++) weight += this.draws.weightOf(step * globalBatchSize + row);
    return weight;
  }

  microbatch({ kind, data, step, microbatch }: Unit): Microbatch {
    const { globalBatchSize, sequenceLength } = this.shape;
    const { rows } = this;
    const shape = { sequences: rows, length: sequenceLength };
    const { tokenBytes } = this;
    const numbers = Array.from({ length: rows }, (_, row) => microbatch * rows + row);
    if (kind === 'train') {
      const first = step * globalBatchSize;
      const drawn = numbers.map((n) => this.draws.at(first + n));
      return microbatchOf(drawn, shape, { names: this.draws.names, tokenBytes });
    }
    const evaluated = this.evaluated.get(data);
    if (evaluated === undefined) throw new RangeError(`there is no data named '${data}'`);
    const { names, sequences } = evaluated;
    const drawn: DrawnSequence[] = numbers.flatMap((n) => (n < sequences.count ? [sequences.at(n)] : []));
    return microbatchOf(drawn, shape, { names, tokenBytes });
  }

  /** Sequences of a microbatch. */
  private get rows(): number {
    return this.shape.globalBatchSize / this.shape.globalMicrobatches;
  }
}
