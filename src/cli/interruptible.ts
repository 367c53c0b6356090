/**
 * Interruptible work makes files and no run: a signal ends it soon, what it has written is removed, and the exit code is 130.
 */
import { performance } from 'node:perf_hooks';
import { exitCodes, lineOf } from './failure.ts';
import { endAtOnce, interruptSignal } from './interrupt.ts';
import { stderr } from './output.ts';

const announcement = 'interrupted: removing what was written ... (a second Ctrl-C ends at once, and leaves it there)';

/** Resolves to the exit code of `work`, which throws the reason of its signal once that is aborted. What else it throws passes. */
export async function interruptibly(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  using interrupt = interruptSignal({
    nowMs: () => performance.now(),
    announce: () => stderr.print(lineOf(announcement)),
    kill: endAtOnce,
    env: process.env,
  });
  const { signal } = interrupt;
  try {
    return await work(signal);
  } catch (error) {
    if (signal.aborted && error === signal.reason) return exitCodes.interrupted;
    throw error;
  }
}
