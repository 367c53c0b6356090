/** What every benchmark prints alike, the machine and medians, and what it is told alike: rounds. */
import os from 'node:os';

/** Node, processor and date of a measurement, one line. */
export function machine(): string {
  const cpus = os.cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, Node ${process.versions.node}, ${cpus.length} x ${cpus[0]?.model.trim() ?? 'unknown'}`;
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/** How many rounds an argument of a benchmark asks for; `usual` without one. Throws `RangeError`. */
export function roundsOf(argument: string | undefined, usual: number): number {
  const rounds = Number(argument ?? usual);
  if (Number.isInteger(rounds) && rounds > 0) return rounds;
  throw new RangeError(`rounds: a whole number from 1 on, not ${argument ?? usual}`);
}
