/** The last words of a run: how it ended, what it is worth, and what to do next. */
import type { RunOutcome } from '../run/run_port.ts';
import type { ObjectiveSection } from '../topology/index.ts';
import { allowing, continueLine, quoted } from './continue_line.ts';
import { duration } from './figures.ts';

export interface SummaryOptions {
  readonly outcome: RunOutcome;
  readonly elapsedMs: number;
  readonly objective: ObjectiveSection['kind'];
  /** Its model is a module of sublayers. */
  readonly runsCode: boolean;
  /** The topology file that the user gave, where the directory's config is not that yet. */
  readonly file?: string | undefined;
  /** Options that changed the topology and are not in the directory's config yet. */
  readonly overrides: readonly string[];
  /** The newest checkpoint of this run; null where none was written. */
  readonly checkpointPath: string | null;
}

/** What a loss of each objective is, and what one asks its model for; a reward model writes nothing. */
const objectives = {
  next_token: { unit: ' nats a token', asked: ['--prompt "The "'] },
  chat: { unit: ' nats a learnt token', asked: ['--chat --prompt "Hello"'] },
  attributes: { unit: ' (mean squared error)', asked: null },
} as const;

/** The summary's lines. */
export function summaryLines(options: SummaryOptions): string[] {
  const { outcome, elapsedMs, objective, checkpointPath, runsCode, file, overrides } = options;
  const { status, step, evalLoss, order1Loss, runDir } = outcome;
  if (status === 'interrupted') {
    const ended = `interrupted at step ${step} after ${duration(elapsedMs)}`;
    return [ended, continueLine({ file, runDir, runsCode, overrides })];
  }
  const { unit, asked } = objectives[objective];
  const baseline = order1Loss === null ? '' : `, where an order-1 model has ${order1Loss.toFixed(3)}`;
  const loss = evalLoss === null ? '' : `; held-out loss ${evalLoss.toFixed(3)}${unit}${baseline}`;
  return [
    `done: step ${step} after ${duration(elapsedMs)}${loss}`,
    `run directory: ${runDir}`,
    ...(checkpointPath === null || asked === null
      ? []
      : [
          ['try it: npx troupe generate --checkpoint', quoted(checkpointPath), ...allowing(runsCode), ...asked].join(
            ' ',
          ),
        ]),
  ];
}
