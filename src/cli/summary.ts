/** The last words of a run: how it ended, what it is worth, and what to do next. */
import type { RunOutcome } from '../actors/run_port.ts';
import { duration } from './figures.ts';

export interface SummaryOptions {
  readonly outcome: RunOutcome;
  readonly elapsedMs: number;
  /** What the run was launched with: the topology file and the options that changed it. */
  readonly arguments: readonly string[];
  /** The newest checkpoint of this run; null where none was written. */
  readonly checkpointPath: string | null;
}

/** The summary's lines. Losses are nats a token. */
export function summaryLines(options: SummaryOptions): string[] {
  const { outcome, elapsedMs, checkpointPath } = options;
  const { status, step, evalLoss, order1Loss, runDir } = outcome;
  if (status === 'interrupted') {
    return [
      `interrupted at step ${step} after ${duration(elapsedMs)}`,
      `continue with: npx troupe launch ${options.arguments.map(quoted).join(' ')} --run-dir ${quoted(runDir)} --resume`,
    ];
  }
  const baseline = order1Loss === null ? '' : `, where an order-1 model has ${order1Loss.toFixed(3)}`;
  const loss = evalLoss === null ? '' : `; held-out loss ${evalLoss.toFixed(3)} nats a token${baseline}`;
  return [
    `done: step ${step} after ${duration(elapsedMs)}${loss}`,
    `run directory: ${runDir}`,
    ...(checkpointPath === null
      ? []
      : [`try it: npx troupe generate --checkpoint ${quoted(checkpointPath)} --prompt "The "`]),
  ];
}

/** A word that a shell takes as one. */
const quoted = (path: string): string => (/^[\w./:@%+=-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
