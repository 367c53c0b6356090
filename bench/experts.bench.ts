/**
 * What a mixture costs: the experts of a group in one call beside one by one (`calls`), and training steps of the command on one
 * worker: against a dense model of equal active FLOPs (`twins`, `larger-twins`), by the number of experts at one size of all together (`counts`),
 * and at one size of each against the time that memory takes (`sizes`). `npm run bench -- experts [PART ...]`; without one, all.
 */
import { expertCalls } from './expert_calls.ts';
import { counts, largerTwins, sizes, twins } from './mixture_steps.ts';
import { machine, median } from './report.ts';

const ROUNDS = 15;
const COPIED = 2 ** 27;

const parts: Readonly<Record<string, () => Promise<void>>> = {
  calls: () => expertCalls(ROUNDS, copySpeed(ROUNDS)),
  twins,
  'larger-twins': largerTwins,
  counts,
  sizes: () => sizes(() => copySpeed(ROUNDS)),
};

export async function run(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !(name in parts));
  if (unknown !== undefined) throw new RangeError(`experts: ${Object.keys(parts).join(', ')}; not ${unknown}`);
  const speed = (copySpeed(ROUNDS) / 1e6).toFixed(1);
  console.log(`experts: ${machine()}; a copy moves ${speed} GB/s, read and written`);
  for (const name of names.length === 0 ? Object.keys(parts) : names) await parts[name]();
}

/** Bytes that a copy within memory reads and writes in a millisecond, on one thread. */
function copySpeed(rounds: number): number {
  const [from, to] = [new Uint8Array(COPIED).fill(1), new Uint8Array(COPIED)];
  const times = Array.from({ length: rounds }, () => {
    const startMs = performance.now();
    to.set(from);
    return performance.now() - startMs;
  });
  return (2 * COPIED) / median(times);
}
