import { expect, test } from 'vitest';
import { tick, WATCH_START } from '../../../src/runtime/cluster/worker_watchdog.ts';

/** At which tick a worker is found to hang, if it had answered ping `answers[t]` by tick `t`; -1 if never. */
function hangsAt(answers: readonly number[], maxSilentTicks: number): number {
  let state = WATCH_START;
  return answers.findIndex((answered) => {
    const found = tick(state, answered, maxSilentTicks);
    state = found.state;
    return found.hangs;
  });
}

test('a worker that answers every ping does not hang, even if always one late', () => {
  expect(hangsAt([0, 1, 2, 3, 4, 5], 2)).toBe(-1);
  expect(hangsAt([0, 0, 1, 2, 3, 4], 2)).toBe(-1);
});

test('a worker hangs when it has been silent for as many ticks in a row as are allowed', () => {
  expect(hangsAt([0, 0, 0, 0], 3)).toBe(3);
  expect(hangsAt([0, 1, 1, 1, 2, 2, 2, 2], 3)).toBe(7);
});

test('pings are numbered from 1 in order', () => {
  const first = tick(WATCH_START, 0, 3).state;
  expect([first.sent, tick(first, 1, 3).state.sent]).toEqual([1, 2]);
});
