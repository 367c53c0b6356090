/**
 * `Batches` make the microbatches of a run from sequences: training ones are drawn from the blend, evaluations have theirs. Each is a
 * pure function of the microbatch's identity.
 */
import type { DrawnSequence, Draws, HeldOutSequences } from '../data/index.ts';
import type { Unit } from '../actors/protocol/pass.ts';
import type { BatchPort, Microbatch } from '../actors/stage/batch_port.ts';
import { heldOutName, type Evaluation } from '../actors/training/evaluation.ts';
import { microbatchOf } from './microbatch.ts';

export interface BatchesShape {
  readonly globalBatchSize: number;
  readonly globalMicrobatches: number;
  readonly sequenceLength: number;
}

/** Sequences that are scored now and then. */
export type EvaluationSequences = Pick<HeldOutSequences, 'count' | 'at'>;

export class Batches implements BatchPort {
  private readonly draws: Draws;
  readonly heldOut: HeldOutSequences;
  private readonly evaluated: ReadonlyMap<string, EvaluationSequences>;
  private readonly shape: BatchesShape;
  private readonly tokenBytes: Uint32Array | null;

  /** `tokenBytes` are bytes of text by id; null where nobody asks for bits per byte. */
  constructor(draws: Draws, heldOut: HeldOutSequences, shape: BatchesShape, tokenBytes: Uint32Array | null) {
    this.draws = draws;
    this.tokenBytes = tokenBytes;
    this.heldOut = heldOut;
    this.evaluated = new Map([[heldOutName, heldOut]]);
    this.shape = shape;
  }

  /** Microbatches that hold all sequences of each evaluation; the last one may be filled up with padding. */
  get evaluations(): readonly Evaluation[] {
    return [...this.evaluated].map(([name, { count }]) => ({ name, microbatches: Math.ceil(count / this.rows) }));
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
    const of = { names: this.draws.names, tokenBytes: this.tokenBytes };
    const numbers = Array.from({ length: rows }, (_, row) => microbatch * rows + row);
    if (kind === 'train') {
      const first = step * globalBatchSize;
      return microbatchOf(
        numbers.map((n) => this.draws.at(first + n)),
        shape,
        of,
      );
    }
    const evaluated = this.evaluated.get(data);
    if (evaluated === undefined) throw new RangeError(`there is no data named '${data}'`);
    const drawn: DrawnSequence[] = numbers.flatMap((n) => (n < evaluated.count ? [evaluated.at(n)] : []));
    return microbatchOf(drawn, shape, of);
  }

  /** Sequences of a microbatch. */
  private get rows(): number {
    return this.shape.globalBatchSize / this.shape.globalMicrobatches;
  }
}
