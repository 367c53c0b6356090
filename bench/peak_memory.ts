/** The most memory that a process and what it started held at once, sampled while it runs (Linux). */
import type { ChildProcess } from 'node:child_process';
import { treeMiB } from './process_tree.ts';

/** Often enough for a step to be hit, seldom enough to cost it nothing: the kernel walks all pages each time. */
const SAMPLE_MS = 400;

/** Samples until `child` has closed; then tells the peak in MiB. */
export function watchPeak({ pid }: ChildProcess): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, treeMiB(pid!));
  }, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return peak;
  };
}
