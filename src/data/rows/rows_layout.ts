/** How packed samples are laid out once all are known: which of them are held out, and the words that are written of each. */
import { hashText, hashU32, wordsOf } from '../hash.ts';
import { SAMPLE_WORDS } from './rows_index.ts';

/** What is known of all samples, in the order in which they were made. */
export interface KnownSamples {
  /** Of each how many tokens it has, and how many of them are targets. */
  readonly sizes: number[];
  readonly labels: number[];
}

/** Which samples are held out: each by a hash of its number; of two or more at least one of either, of one none. */
export function partsOf(
  name: string,
  samples: number,
  fraction: number,
): { readonly train: number[]; readonly heldOut: number[] } {
  const key = hashText(name);
  const isHeld = (sample: number): boolean => samples > 1 && hashU32(key, ...wordsOf(sample)) < fraction * 2 ** 32;
  const all = Array.from({ length: samples }, (_, sample) => sample);
  const { true: heldOut = [], false: train = [] } = Object.groupBy(
    all,
    (sample) => String(isHeld(sample)) as 'true' | 'false',
  );
  if (fraction > 0 && samples > 1 && heldOut.length === 0) heldOut.push(train.pop()!);
  if (train.length === 0 && heldOut.length > 0) train.push(heldOut.pop()!);
  return { train, heldOut };
}

/** Words of the samples in this order; their tokens lie in the order in which they were made. */
export function recordsOf(order: readonly number[], { sizes, labels }: KnownSamples, width: number): Uint8Array {
  const begins = new Float64Array(sizes.length / 2);
  for (let sample = 1; sample < begins.length; sample++) {
    begins[sample] = begins[sample - 1] + sizes[2 * (sample - 1)];
  }
  const words = SAMPLE_WORDS + width;
  const records = new Uint32Array(order.length * words);
  const numbers = new Float32Array(records.buffer);
  for (const [at, sample] of order.entries()) {
    const begin = begins[sample];
    records.set([begin % 2 ** 32, Math.floor(begin / 2 ** 32), sizes[2 * sample], sizes[2 * sample + 1]], at * words);
    numbers.set(labels.slice(sample * width, (sample + 1) * width), at * words + SAMPLE_WORDS);
  }
  return new Uint8Array(records.buffer);
}
