/**
 * Signals in the first moment of the command, while its modules load: one ends it with 130 and one line, since nothing has
 * been begun. `launch` hears them itself from the start of its run on; for a dry run, and any other command, they are the
 * system's then.
 */
import { writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isNohup } from './interrupt.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

const onEarly = (): never => {
  try {
    writeSync(2, 'troupe: interrupted before anything was begun\n');
  } catch {
    // Nobody reads it; the exit code says it too.
  }
  // Nothing native is under way.
  process.exit(130);
};

/** Listens for them. */
export function hearEarly(): void {
  for (const name of signals) process.on(name, name === 'SIGHUP' && isNohup(process.env) ? ignore : onEarly);
}

/** Lets one be heard that came while modules were loaded or a plan was made, which leave Node no time to hear it. */
export const hearPending = async (): Promise<void> => await setImmediate();

/** Leaves them to whoever listens by now, and else to the system; but never opens Node's debugger for SIGUSR1. */
export function endEarly(): void {
  for (const name of signals) process.off(name, onEarly);
  process.on('SIGUSR1', ignore);
}

const ignore = (): void => undefined;
