/**
 * How samples lie in sequences: one in each, or several behind one another. Several are put where they leave the least room, the
 * longest first, among some thousands that follow each other; so the result is the same however large the file is.
 */

/** Samples that are looked at together. */
const TOGETHER = 4096;

export interface Packing {
  /** Samples in the order in which sequences have them. */
  readonly order: readonly number[];
  /** For each sequence the place in the order of its first sample; at the end how many samples there are. */
  readonly starts: readonly number[];
}

export function oneEach(samples: readonly number[]): Packing {
  return { order: samples, starts: Array.from({ length: samples.length + 1 }, (_, i) => i) };
}

/** `lengths` is by sample, none above `sequenceLength`. */
export function bestFit(
  samples: readonly number[],
  lengths: (sample: number) => number,
  sequenceLength: number,
): Packing {
  const order: number[] = [];
  const starts: number[] = [];
  for (let begin = 0; begin < samples.length; begin += TOGETHER) {
    const together = samples.slice(begin, begin + TOGETHER);
    for (const sequence of fitted(together, lengths, sequenceLength)) {
      starts.push(order.length);
      order.push(...sequence);
    }
  }
  return { order, starts: [...starts, order.length] };
}

/** Sequences of samples, in the order of the first sample of each; samples of one in their own order. */
function fitted(samples: readonly number[], lengths: (sample: number) => number, most: number): number[][] {
  /** Sequences by the room that is left in them. */
  const byRoom: number[][][] = Array.from({ length: most + 1 }, () => []);
  const longestFirst = samples.toSorted((a, b) => lengths(b) - lengths(a) || a - b);
  for (const sample of longestFirst) {
    const length = lengths(sample);
    let room = length;
    while (room <= most && byRoom[room].length === 0) room++;
    const sequence = byRoom[room]?.shift() ?? [];
    sequence.push(sample);
    byRoom[Math.min(room, most) - length].push(sequence);
  }
  return byRoom
    .flat()
    .map((sequence) => sequence.sort((a, b) => a - b))
    .sort(([a], [b]) => a - b);
}
