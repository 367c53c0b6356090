/**
 * Whoever started the command. A shell may end on purpose and leave a run behind; npm's may not: it dies of a signal that
 * it does not pass on, and nobody would know of the run any more. So does the process that starts a clone's own Node,
 * when it is killed. Their end is noticed by the process id of the parent, which is another one then.
 */
import { isNohup } from './interrupt.ts';

/** Set by bin/own_node.js for the Node that it starts: its own process id. */
const outerNode = 'TROUPE_OUTER_PID';

/** The process whose end is to be the run's too; null where there is none. `parentPid` is the present one. */
export function watchedParent(env: NodeJS.ProcessEnv, parentPid: number): number | null {
  const outer = Number(env[outerNode]);
  if (Number.isInteger(outer) && outer > 0) return outer;
  const isOfNpm = env.npm_lifecycle_event !== undefined || env.npm_execpath !== undefined;
  return isOfNpm && !isNohup(env) ? parentPid : null;
}

export interface ParentWatchOptions {
  /** From `watchedParent`. */
  readonly watched: number | null;
  readonly parentPid: () => number;
  /** Called once. */
  readonly onGone: () => void;
}

const lookMs = 1000;

/** Looks each second whether the parent is still the watched one; `dispose` ends that. */
export function watchParent({ watched, parentPid, onGone }: ParentWatchOptions): Disposable {
  if (watched === null) return { [Symbol.dispose]: () => undefined };
  const timer = setInterval(() => {
    if (parentPid() === watched) return;
    clearInterval(timer);
    onGone();
  }, lookMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
