/**
 * Which corpus each sequence of a blend comes from. Sequence n goes to the corpus that is furthest behind its share:
 * the largest `weight * (n + 1) - drawn`, ties to the lowest index. Nothing random, so every prefix of a run is blended
 * as asked: no corpus is ever a whole sequence ahead, and with two or three corpora none is a whole one behind.
 */

/** Sequences between two remembered states: a question about any n replays at most this many draws. */
const SEGMENT = 4096;

/** Where a sequence comes from: the `ordinal`-th one of corpus `corpus`, both from 0. */
export interface Draw {
  readonly corpus: number;
  readonly ordinal: number;
}

export class Allotment {
  /** Normalised to a sum of 1. */
  readonly shares: readonly number[];
  /** Draws by corpus before each segment. */
  readonly #drawnBefore: number[][];
  #segment = -1;
  readonly #draws: Draw[] = [];

  /** `weights` are finite, not negative, and not all zero. */
  constructor(weights: readonly number[]) {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    this.shares = weights.map((weight) => weight / sum);
    this.#drawnBefore = [weights.map(() => 0)];
  }

  /** The draw of sequence `n`, in any order of asking. */
  at(n: number): Draw {
    const segment = Math.floor(n / SEGMENT);
    while (this.#drawnBefore.length <= segment) {
      const last = this.#drawnBefore.length - 1;
      const drawn = [...this.#drawnBefore[last]];
      for (let i = 0; i < SEGMENT; i++) drawn[this.#furthestBehind(last * SEGMENT + i, drawn)]++;
      this.#drawnBefore.push(drawn);
    }
    if (segment !== this.#segment) {
      const drawn = [...this.#drawnBefore[segment]];
      for (let i = 0; i < SEGMENT; i++) {
        const corpus = this.#furthestBehind(segment * SEGMENT + i, drawn);
        this.#draws[i] = { corpus, ordinal: drawn[corpus]++ };
      }
      this.#segment = segment;
    }
    return this.#draws[n % SEGMENT];
  }

  #furthestBehind(n: number, drawn: readonly number[]): number {
    let best = 0;
    let bestLag = -Infinity;
    for (let corpus = 0; corpus < drawn.length; corpus++) {
      const lag = this.shares[corpus] * (n + 1) - drawn[corpus];
      if (lag > bestLag && this.shares[corpus] > 0) {
        best = corpus;
        bestLag = lag;
      }
    }
    return best;
  }
}
