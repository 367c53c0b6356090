/** The most memory that a process and what it started held at once, sampled while it runs (Linux). */
import type { ChildProcess } from 'node:child_process';
import { sampleTree } from './process_tree.ts';

const SAMPLE_MS = 250;

/** Samples until `child` has closed; then tells the peak in MiB. */
export function watchPeak({ pid }: ChildProcess): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    const resident = sampleTree(pid!).reduce((sum, { residentMiB }) => sum + residentMiB, 0);
    peak = Math.max(peak, resident);
  }, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return peak;
  };
}
