/**
 * How samples lie in sequences: one in each, or several behind one another. Several are put where they leave the least room, the
 * longest first, among some thousands that follow each other; so the result is the same however large the file is.
 */
import { NumberSet } from './number_set.ts';

/** Samples that are looked at together. */
const TOGETHER = 4096;

export interface Packing {
  /** Samples in the order in which sequences have them. */
  readonly order: Uint32Array;
  /** For each sequence the place in the order of its first sample; at the end how many samples there are. */
  readonly starts: Uint32Array;
}

/** Awaited between pieces of work that a thread does not hear an interrupt in. May throw to end it. */
export type Pause = () => Promise<void>;

export function oneEach(samples: Uint32Array): Packing {
  const starts = new Uint32Array(samples.length + 1);
  for (let at = 0; at < starts.length; at++) starts[at] = at;
  return { order: samples, starts };
}

/** `samples` ascend; `lengths` is by sample, from 1 to `sequenceLength`. */
export async function bestFit(
  samples: Uint32Array,
  lengths: (sample: number) => number,
  sequenceLength: number,
  pause: Pause,
): Promise<Packing> {
  const order = new Uint32Array(samples.length);
  const starts = new Uint32Array(samples.length + 1);
  const fitting = new Fitting(sequenceLength);
  let sequences = 0;
  for (let begin = 0; begin < samples.length; begin += TOGETHER) {
    const together = samples.subarray(begin, begin + TOGETHER);
    const lies = fitting.sequencesOf(Uint32Array.from(together, lengths));
    sequences += laid(together, lies, order.subarray(begin), starts.subarray(sequences), begin);
    await pause();
  }
  starts[sequences] = samples.length;
  return { order, starts: starts.slice(0, sequences + 1) };
}

/** Sequences that are being filled. Of those with the same room the one that came to it first is filled first. */
class Fitting {
  readonly #most: number;
  /** Rooms that a sequence has, and by room the first and the last of those that have it. */
  readonly #rooms: NumberSet;
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  /** By sequence the next one with the same room, or −1. */
  readonly #next = new Int32Array(TOGETHER);

  constructor(sequenceLength: number) {
    this.#most = sequenceLength;
    this.#rooms = new NumberSet(sequenceLength + 1);
    this.#first = new Int32Array(sequenceLength + 1);
    this.#last = new Int32Array(sequenceLength + 1);
  }

  /** By sample the sequence that it lies in. */
  sequencesOf(lengths: Uint32Array): Uint32Array {
    this.#rooms.clear();
    let sequences = 0;
    const lies = new Uint32Array(lengths.length);
    for (const sample of longestFirst(lengths)) {
      const length = lengths[sample];
      const room = this.#rooms.from(length);
      const sequence = room < 0 ? sequences++ : this.#take(room);
      lies[sample] = sequence;
      this.#put(sequence, (room < 0 ? this.#most : room) - length);
    }
    return lies;
  }

  #take(room: number): number {
    const sequence = this.#first[room];
    this.#first[room] = this.#next[sequence];
    if (this.#first[room] < 0) this.#rooms.delete(room);
    return sequence;
  }

  #put(sequence: number, room: number): void {
    this.#next[sequence] = -1;
    if (this.#rooms.from(room) === room) this.#next[this.#last[room]] = sequence;
    else this.#first[room] = sequence;
    this.#last[room] = sequence;
    this.#rooms.add(room);
  }
}

/** Those that are equally long in their own order. */
function longestFirst(lengths: Uint32Array): Float64Array {
  const keys = Float64Array.from(lengths, (length, sample) => sample - length * TOGETHER).sort();
  return keys.map((key) => ((key % TOGETHER) + TOGETHER) % TOGETHER);
}

/**
 * Writes the samples of each sequence, which ascend, one sequence after the other in the order of the first of each, and where
 * each of them starts. Returns how many sequences there are.
 */
function laid(samples: Uint32Array, lies: Uint32Array, order: Uint32Array, starts: Uint32Array, begin: number): number {
  const numbers = new Int32Array(samples.length).fill(-1);
  const places = new Uint32Array(samples.length + 1);
  let sequences = 0;
  for (const sequence of lies) {
    if (numbers[sequence] < 0) numbers[sequence] = sequences++;
    places[numbers[sequence] + 1] += 1;
  }
  for (let sequence = 0; sequence < sequences; sequence++) {
    starts[sequence] = begin + places[sequence];
    places[sequence + 1] += places[sequence];
  }
  for (let at = 0; at < samples.length; at++) order[places[numbers[lies[at]]]++] = samples[at];
  return sequences;
}
