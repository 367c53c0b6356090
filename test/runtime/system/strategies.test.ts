import { expect, test } from 'vitest';
import { decide, delayOf, SUPERVISION, type Ending, type Strategy } from '../../../src/runtime/system/strategies.ts';

const children = [
  { address: 'a', restart: 'permanent' },
  { address: 'b', restart: 'permanent' },
  { address: 'c', restart: 'temporary' },
  { address: 'd', restart: 'transient' },
] as const;
const ending = (change: Partial<Ending> = {}): Ending => ({
  children,
  ended: 'b',
  reason: 'failed',
  nowMs: 1000,
  restartsMs: [],
  ...change,
});
const settings = (strategy: Strategy) => ({ ...SUPERVISION, strategy });

test('one_for_one restarts the one that ended', () => {
  expect(decide(settings('one_for_one'), ending())).toEqual({
    kind: 'restart',
    stop: [],
    start: ['b'],
    delayMs: 50,
    restartsMs: [1000],
  });
});

test('one_for_all stops the others last first and starts all but the temporary in order', () => {
  expect(decide(settings('one_for_all'), ending())).toMatchObject({ stop: ['d', 'c', 'a'], start: ['a', 'b', 'd'] });
});

test('rest_for_one leaves those that were started before', () => {
  expect(decide(settings('rest_for_one'), ending())).toMatchObject({ stop: ['d', 'c'], start: ['b', 'd'] });
});

test.each([
  ['a', 'stopped', 'restart'],
  ['a', 'killed', 'restart'],
  ['c', 'failed', 'forget'],
  ['d', 'stopped', 'forget'],
  ['d', 'failed', 'restart'],
  ['d', 'killed', 'restart'],
  ['unknown', 'failed', 'forget'],
] as const)('when %s has %s the supervisor decides to %s', (ended, reason, kind) => {
  expect(decide(SUPERVISION, ending({ ended, reason })).kind).toBe(kind);
});

test('the restart that exceeds the intensity within the period escalates', () => {
  const options = { ...SUPERVISION, intensity: 2, periodMs: 100 };
  expect(decide(options, ending({ restartsMs: [901, 950] })).kind).toBe('escalate');
  expect(decide(options, ending({ restartsMs: [900, 950] }))).toMatchObject({
    kind: 'restart',
    restartsMs: [950, 1000],
  });
});

test('the wait doubles with each restart in the period up to its maximum', () => {
  const backoff = { firstMs: 50, factor: 2, maxMs: 300 };
  expect([1, 2, 3, 4, 5].map((nth) => delayOf(backoff, nth))).toEqual([50, 100, 200, 300, 300]);
});
