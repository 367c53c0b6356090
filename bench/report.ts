/** What every benchmark prints alike: the machine, and medians. */
import os from 'node:os';

/** Node, processor and date of a measurement, one line. */
export function machine(): string {
  const cpus = os.cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, Node ${process.versions.node}, ${cpus.length} x ${cpus[0]?.model.trim() ?? 'unknown'}`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
