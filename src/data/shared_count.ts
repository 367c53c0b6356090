/**
 * What a launcher and its packing threads share: how many bytes the threads have read, and whether they are to stop. A
 * thread looks at it after every piece, and so ends within a second, from where its native code is not in the middle of
 * something.
 */

/** [bytes read, 1 when to stop], shared. */
export type SharedCount = BigInt64Array<SharedArrayBuffer>;

const BYTES = 0;
const STOP = 1;

/** A task was told to stop. */
export class Stopped extends Error {}

export function sharedCount(): SharedCount {
  return new BigInt64Array(new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT));
}

/** Adds bytes. Throws `Stopped` where the task is to end. */
export function count(shared: SharedCount, bytes: number): void {
  if (Atomics.load(shared, STOP) !== 0n) throw new Stopped('packing was told to stop');
  Atomics.add(shared, BYTES, BigInt(bytes));
}

export const bytesOf = (shared: SharedCount): number => Number(Atomics.load(shared, BYTES));

export const restart = (shared: SharedCount): void => void Atomics.store(shared, BYTES, 0n);

export const stop = (shared: SharedCount): void => void Atomics.store(shared, STOP, 1n);
