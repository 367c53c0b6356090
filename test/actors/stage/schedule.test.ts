/** The turns of pipeline stages: whose it is, how many microbatches are under way, and that stages never wait in a ring. */
import { describe, expect, it } from 'vitest';
import { nextTurn, windowOf, type UnderWay } from '../../../src/actors/stage/schedule.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

const state = (underWay: readonly UnderWay[], more: { begun?: number; count?: number; window?: number } = {}) => ({
  underWay,
  begun: underWay.length,
  count: 8,
  window: 3,
  canBegin: true,
  ...more,
});

describe('a turn', () => {
  it('is a new microbatch while nothing is under way', () => {
    expect(nextTurn(state([]))).toBe(0);
    expect(nextTurn({ ...state([]), canBegin: false })).toBeNull();
  });

  it('goes to the way back of the first microbatch before any way forward', () => {
    const forward = { index: 1, phase: 'forward', isReady: true } as const;
    expect(nextTurn(state([forward, { index: 0, phase: 'between', isReady: true }]))).toBe(0);
    expect(nextTurn(state([forward, { index: 0, phase: 'backward', isReady: true }]))).toBe(0);
  });

  it('goes to a way forward while the way back waits for rows, the earliest first', () => {
    const back = { index: 0, phase: 'backward', isReady: false } as const;
    const forward = (index: number, isReady: boolean) => ({ index, phase: 'forward', isReady }) as const;
    expect(nextTurn(state([back, forward(2, true), forward(1, true)]))).toBe(1);
    expect(nextTurn(state([back, forward(1, false)]))).toBe(2);
    expect(nextTurn(state([back, forward(1, false)], { window: 2 }))).toBeNull();
  });

  it('never goes to the way back of a later microbatch: gradients add up in order', () => {
    const waiting = { index: 0, phase: 'backward', isReady: false } as const;
    expect(nextTurn(state([waiting, { index: 1, phase: 'between', isReady: true }], { window: 2 }))).toBeNull();
  });

  it('is nobody’s once all have begun and wait', () => {
    const forward = { index: 0, phase: 'forward', isReady: false } as const;
    expect(nextTurn(state([forward], { begun: 8 }))).toBeNull();
  });
});

it.each([
  [0, 1, 4, false, 1],
  [0, 1, 4, true, 2],
  [0, 1, 1, true, 1],
  [0, 4, 8, false, 4],
  [3, 4, 8, true, 2],
  [0, 4, 2, true, 2],
])('stage %i of %i has a window for %i microbatches (hands over: %s) of %i', (stage, stages, count, hands, window) => {
  expect(windowOf(stage, stages, count, hands)).toBe(window);
});

const shapes = [1, 2, 3, 4].flatMap((stages) => [1, 2, 5, 8].map((count) => [stages, count] as const));

it.each(shapes)('%i stages take each of %i microbatches forth and back, whatever comes when', (stages, count) => {
  for (const seed of [1, 2, 3]) {
    const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
    const done = new Set<string>();
    const under = range(stages).map(() => new Map<number, UnderWay['phase']>());
    const begun = range(stages).map(() => 0);
    const backs = range(stages).map((): number[] => []);
    const has = (phase: string, stage: number, index: number): boolean =>
      stage < 0 || stage >= stages || done.has(`${phase} ${stage} ${index}`);
    const isReady = (stage: number, index: number, phase: UnderWay['phase']): boolean =>
      phase === 'forward' ? has('forward', stage - 1, index) : has('backward', stage + 1, index);
    for (let i = 0; backs.some(({ length }) => length < count); i++) {
      expect(i).toBeLessThan(100_000);
      const stage = Math.floor(unit(seed, i) * stages);
      const window = windowOf(stage, stages, count, true);
      const underWay = [...under[stage]].map(([index, phase]) => ({
        index,
        phase,
        isReady: isReady(stage, index, phase),
      }));
      expect(underWay.length).toBeLessThanOrEqual(window);
      const canBegin = isReady(stage, begun[stage], 'forward');
      const index = nextTurn({ underWay, begun: begun[stage], count, window, canBegin });
      if (index === null) continue;
      const phase = under[stage].get(index);
      if (phase === undefined) {
        under[stage].set(index, 'between');
        begun[stage]++;
        done.add(`forward ${stage} ${index}`);
      } else {
        under[stage].delete(index);
        backs[stage].push(index);
        done.add(`backward ${stage} ${index}`);
      }
    }
    expect(backs).toEqual(range(stages).map(() => range(count)));
  }
});
