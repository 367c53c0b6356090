/** The last words of a run. */
import { expect, test } from 'vitest';
import type { RunOutcome } from '../../src/actors/run_port.ts';
import { summaryLines } from '../../src/cli/summary.ts';

const done: RunOutcome = { status: 'done', step: 400, evalLoss: 1.9, order1Loss: 2.41, runDir: 'runs/a' };

test('a finished run tells its loss, its baseline, its directory and how to try it', () => {
  const checkpointPath = 'runs/a/checkpoints/step-000400.g1';
  expect(summaryLines({ outcome: done, elapsedMs: 312_000, arguments: ['a.yaml'], checkpointPath })).toEqual([
    'done: step 400 after 5 min 12 s; held-out loss 1.900 nats a token, where an order-1 model has 2.410',
    'run directory: runs/a',
    'try it: npx troupe generate --checkpoint runs/a/checkpoints/step-000400.g1 --prompt "The "',
  ]);
});

test('a run without evaluation and checkpoint tells only what there is', () => {
  const outcome: RunOutcome = { ...done, evalLoss: null, order1Loss: null };
  expect(summaryLines({ outcome, elapsedMs: 1000, arguments: ['a.yaml'], checkpointPath: null })).toEqual([
    'done: step 400 after 1 s',
    'run directory: runs/a',
  ]);
});

test('an interrupted run tells how to continue it, in words that a shell takes', () => {
  const outcome: RunOutcome = { ...done, status: 'interrupted', step: 120, runDir: "runs/it's mine" };
  expect(
    summaryLines({
      outcome,
      elapsedMs: 60_000,
      arguments: ['my run.yaml', '--set', 'optimizer.betas=[0.9, 0.99]'],
      checkpointPath: null,
    }),
  ).toEqual([
    'interrupted at step 120 after 1 min 0 s',
    `continue with: npx troupe launch 'my run.yaml' --set 'optimizer.betas=[0.9, 0.99]' --run-dir 'runs/it'\\''s mine' --resume`,
  ]);
});
