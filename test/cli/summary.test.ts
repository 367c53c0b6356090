/** The last words of a run. */
import { expect, test } from 'vitest';
import type { RunOutcome } from '../../src/run/run_port.ts';
import { summaryLines } from '../../src/cli/summary.ts';

const done: RunOutcome = { status: 'done', step: 400, evalLoss: 1.9, order1Loss: 2.41, runDir: 'runs/a' };

const usual = { objective: 'next_token', runsCode: false, overrides: [] } as const;

test('a finished run tells its loss, its baseline, its directory and how to try it', () => {
  const checkpointPath = 'runs/a/checkpoints/step-000400.g1';
  expect(summaryLines({ outcome: done, elapsedMs: 312_000, ...usual, checkpointPath })).toEqual([
    'done: step 400 after 5 min 12 s; held-out loss 1.900 nats a token, where an order-1 model has 2.410',
    'run directory: runs/a',
    'try it: npx troupe generate --checkpoint runs/a/checkpoints/step-000400.g1 --prompt "The "',
  ]);
});

test('a run without evaluation and checkpoint tells only what there is', () => {
  const outcome: RunOutcome = { ...done, evalLoss: null, order1Loss: null };
  expect(summaryLines({ outcome, elapsedMs: 1000, ...usual, checkpointPath: null })).toEqual([
    'done: step 400 after 1 s',
    'run directory: runs/a',
  ]);
});

test('a run on chats says what its loss is of and asks for an answer; a reward model has squares, and nothing to say', () => {
  const parts = { ...usual, outcome: { ...done, order1Loss: null }, elapsedMs: 1000, checkpointPath: 'c' };
  expect(summaryLines({ ...parts, objective: 'chat' })).toEqual([
    'done: step 400 after 1 s; held-out loss 1.900 nats a learnt token',
    'run directory: runs/a',
    'try it: npx troupe generate --checkpoint c --chat --prompt "Hello"',
  ]);
  expect(summaryLines({ ...parts, objective: 'attributes' })).toEqual([
    'done: step 400 after 1 s; held-out loss 1.900 (mean squared error)',
    'run directory: runs/a',
  ]);
});

const interrupted: RunOutcome = { ...done, status: 'interrupted', step: 120, runDir: "runs/it's mine" };

test('an interrupted run tells how to continue it, in words that a shell takes', () => {
  expect(summaryLines({ outcome: interrupted, elapsedMs: 60_000, ...usual, checkpointPath: null })).toEqual([
    'interrupted at step 120 after 1 min 0 s',
    `continue with: npx troupe launch --resume 'runs/it'\\''s mine'`,
  ]);
});

test('a run whose model is code has the permission in its commands', () => {
  const parts = { ...usual, elapsedMs: 1000, runsCode: true, checkpointPath: 'c' };
  expect(summaryLines({ outcome: { ...interrupted, runDir: 'r' }, ...parts }).at(-1)).toBe(
    'continue with: npx troupe launch --resume r --allow-code',
  );
  expect(summaryLines({ outcome: done, ...parts }).at(-1)).toBe(
    'try it: npx troupe generate --checkpoint c --allow-code --prompt "The "',
  );
});

test('what was changed by options and is not in the config yet is said again', () => {
  const overrides = ['--set', 'optimizer.betas=[0.9, 0.99]', '--steps', '500'];
  const outcome = { ...interrupted, runDir: 'r' };
  expect(summaryLines({ outcome, elapsedMs: 1000, ...usual, overrides, checkpointPath: null }).at(-1)).toBe(
    "continue with: npx troupe launch --resume r --set 'optimizer.betas=[0.9, 0.99]' --steps 500",
  );
});

test('a file that counts instead of a config that is not written yet is named again, and is permission enough', () => {
  const outcome = { ...interrupted, runDir: 'r' };
  const parts = {
    ...usual,
    elapsedMs: 1000,
    file: 'my runs.yaml',
    overrides: ['--steps', '500'],
    checkpointPath: null,
  };
  for (const runsCode of [false, true]) {
    expect(summaryLines({ outcome, ...parts, runsCode }).at(-1)).toBe(
      "continue with: npx troupe launch 'my runs.yaml' --resume r --steps 500",
    );
  }
});
