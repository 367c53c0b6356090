/**
 * Ctrl-C. The first one asks the run to write a checkpoint and end; npm and the terminal may both deliver it, so a second
 * one counts only when it comes more than a second later, and then it kills.
 */

/** What a signal does, by when the first one came (null: this is the first). */
export function onInterrupt(firstAtMs: number | null, nowMs: number): 'abort' | 'ignore' | 'kill' {
  if (firstAtMs === null) return 'abort';
  return nowMs - firstAtMs > 1000 ? 'kill' : 'ignore';
}

export interface InterruptOptions {
  /** Milliseconds of any clock that only goes forward. */
  readonly nowMs: () => number;
  /** Called once, on the first signal. */
  readonly announce: () => void;
  readonly kill: () => void;
}

/** Listens for SIGINT and SIGTERM. The signal aborts on the first; `dispose` stops listening. */
export function interruptSignal({ nowMs, announce, kill }: InterruptOptions): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  let firstAtMs: number | null = null;
  const listener = (): void => {
    const action = onInterrupt(firstAtMs, nowMs());
    if (action === 'kill') return kill();
    if (action === 'ignore') return;
    firstAtMs = nowMs();
    announce();
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.on(name, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, listener);
    },
  };
}
