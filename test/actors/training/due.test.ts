/** What is due after a step: each evaluation at its interval, all that are made after the last step, and checkpoints. */
import { describe, expect, it } from 'vitest';
import { dueAfter, goesStraightOn } from '../../../src/actors/training/due.ts';
import { parseTopology } from '../../../src/topology/index.ts';

const topology = (interval: number) =>
  parseTopology(
    `
training: { steps: 21, eval_interval: ${interval} }
checkpoint: { interval: 5 }
optimizer: { warmup_steps: 0 }
evaluations: [ { name: often, data: { rows: x }, interval: 4 }, { name: usual, data: { rows: x } } ]`,
    'run.yaml',
  );

describe('an evaluation is due', () => {
  it('at its own interval, at the usual one where it has none, and after the last step', () => {
    const due = (steps: number): readonly string[] => dueAfter(topology(6), steps).evaluations;
    expect([4, 5, 6, 12, 21].map(due)).toEqual([
      ['often'],
      [],
      ['held_out', 'usual'],
      ['held_out', 'often', 'usual'],
      ['held_out', 'often', 'usual'],
    ]);
  });

  it('never without an interval', () => {
    const due = (steps: number): readonly string[] => dueAfter(topology(0), steps).evaluations;
    expect([4, 6, 21].map(due)).toEqual([['often'], [], ['often']]);
  });
});

it('the next step is opened at once only where nothing is due and there is one', () => {
  const straight = [3, 4, 5, 6, 20, 21].filter((steps) => goesStraightOn(topology(6), steps));
  expect(straight).toEqual([3]);
});
