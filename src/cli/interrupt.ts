/**
 * Ctrl-C, a terminal that is closed, and a batch system's warning. The first sign asks the run to write a checkpoint and
 * end. A second Ctrl-C kills, but only when it comes more than a second later: npm and the terminal may both deliver it. A
 * hang-up or a warning (SIGUSR1, SIGUSR2) never kills, since shell, kernel and batch system send them as often as they like.
 */
import { basename } from 'node:path';

/** What a signal does, by when the first one came (null: this is the first). */
export function onInterrupt(firstAtMs: number | null, nowMs: number): 'abort' | 'ignore' | 'kill' {
  if (firstAtMs === null) return 'abort';
  return nowMs - firstAtMs > 1000 ? 'kill' : 'ignore';
}

/**
 * Whether `nohup` started the command: then closing the terminal is no sign to end. Node forgets that a signal was to be
 * ignored, so this goes by what bash and zsh write down of how they started it.
 */
export const isNohup = (env: NodeJS.ProcessEnv): boolean => basename(env._ ?? '') === 'nohup';

/** Ends this process by SIGINT, whatever it is at: native code in a worker cannot be left by an exit. */
export function endAtOnce(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}

export interface InterruptOptions {
  /** Milliseconds of any clock that only goes forward. */
  readonly nowMs: () => number;
  /** Called once, on the first signal. */
  readonly announce: () => void;
  readonly kill: () => void;
  readonly env: NodeJS.ProcessEnv;
}

export interface Interrupt extends Disposable {
  /** Aborted on the first sign. */
  readonly signal: AbortSignal;
  /** Asks for an end, as the first Ctrl-C does; however often, it never kills. */
  hangUp(): void;
}

/** Listens for SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2; `dispose` stops listening. */
export function interruptSignal({ nowMs, announce, kill, env }: InterruptOptions): Interrupt {
  const controller = new AbortController();
  let firstAtMs: number | null = null;
  const interrupt = (): void => {
    const action = onInterrupt(firstAtMs, nowMs());
    if (action === 'kill') return kill();
    if (action === 'ignore') return;
    firstAtMs = nowMs();
    announce();
    controller.abort();
  };
  const hangUp = (): void => {
    if (firstAtMs === null) interrupt();
  };
  const listeners = {
    SIGINT: interrupt,
    SIGTERM: interrupt,
    SIGHUP: isNohup(env) ? () => undefined : hangUp,
    SIGUSR1: hangUp,
    SIGUSR2: hangUp,
  } as const;
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
  for (const name of signals) process.on(name, listeners[name]);
  return {
    signal: controller.signal,
    hangUp,
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, listeners[name]);
    },
  };
}
