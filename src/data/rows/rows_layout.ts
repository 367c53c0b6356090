/** How packed samples are laid out once all are known: which of them are held out, and the words that are written of each. */
import { hashText, hashU32, wordsOf } from '../hash.ts';
import { SAMPLE_WORDS } from './rows_index.ts';
import type { Pause } from './sequence_packing.ts';

/** What is known of all samples, in the order in which they were made. */
export interface KnownSamples {
  /** Of each how many tokens it has, and how many of them are targets. */
  readonly sizes: Uint32Array;
  readonly labels: Float32Array;
}

/** Of all samples, a task's after another. */
export function knownOf(parts: readonly KnownSamples[]): KnownSamples {
  const sizes = new Uint32Array(parts.reduce((sum, part) => sum + part.sizes.length, 0));
  const labels = new Float32Array(parts.reduce((sum, part) => sum + part.labels.length, 0));
  let [sizeAt, labelAt] = [0, 0];
  for (const part of parts) {
    sizes.set(part.sizes, sizeAt);
    labels.set(part.labels, labelAt);
    sizeAt += part.sizes.length;
    labelAt += part.labels.length;
  }
  return { sizes, labels };
}

/** Samples between two pauses. */
const GROUP = 2 ** 16;

/** Which samples are held out, either ascending: each by a hash of its number; of two or more at least one of either, of one none. */
export async function partsOf(
  name: string,
  samples: number,
  fraction: number,
  pause: Pause,
): Promise<{ readonly train: Uint32Array; readonly heldOut: Uint32Array }> {
  const key = hashText(name);
  const isHeld = new Uint8Array(samples);
  let held = 0;
  for (let sample = 0; sample < samples; sample++) {
    isHeld[sample] = Number(samples > 1 && hashU32(key, ...wordsOf(sample)) < fraction * 2 ** 32);
    held += isHeld[sample];
    if (sample % GROUP === 0) await pause();
  }
  // The last one goes to the part that has none.
  if (samples > 1 && ((fraction > 0 && held === 0) || held === samples)) {
    isHeld[samples - 1] = 1 - isHeld[samples - 1];
    held += 2 * isHeld[samples - 1] - 1;
  }
  const [train, heldOut] = [new Uint32Array(samples - held), new Uint32Array(held)];
  for (let sample = 0, out = 0; sample < samples; sample++) {
    if (isHeld[sample] === 1) heldOut[out++] = sample;
    else train[sample - out] = sample;
  }
  return { train, heldOut };
}

/** Words of the samples in this order; their tokens lie in the order in which they were made. */
export async function recordsOf(
  orders: readonly Uint32Array[],
  { sizes, labels }: KnownSamples,
  width: number,
  pause: Pause,
): Promise<Uint8Array> {
  const samples = sizes.length / 2;
  const begins = new Float64Array(samples);
  for (let sample = 1; sample < samples; sample++) begins[sample] = begins[sample - 1] + sizes[2 * (sample - 1)];
  const words = SAMPLE_WORDS + width;
  const records = new Uint32Array(samples * words);
  const numbers = new Float32Array(records.buffer);
  let at = 0;
  for (const order of orders) {
    for (const sample of order) {
      const begin = begins[sample];
      records[at] = begin % 2 ** 32;
      records[at + 1] = Math.floor(begin / 2 ** 32);
      records[at + 2] = sizes[2 * sample];
      records[at + 3] = sizes[2 * sample + 1];
      for (let i = 0; i < width; i++) numbers[at + SAMPLE_WORDS + i] = labels[sample * width + i];
      at += words;
      if (at % (GROUP * words) === 0) await pause();
    }
  }
  return new Uint8Array(records.buffer);
}
