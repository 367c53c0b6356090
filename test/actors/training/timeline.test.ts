/** Timelines: whose decision about a step counts, after steps that were run again and rollbacks. */
import { describe, expect, it } from 'vitest';
import { MemoryDecisionStore } from '../../../src/actors/training/decision_store.ts';
import { History, historyOf } from '../../../src/actors/training/timeline.ts';
import type { Decision } from '../../../src/actors/protocol/decision.ts';

const decision = (timeline: number, step: number, more: Partial<Decision> = {}): Decision => ({
  gen: 1,
  timeline,
  step,
  verdict: 'commit',
  updateStep: step + 1,
  lr: 0.1,
  clip: 1,
  ...more,
});

const start = { timeline: 0, step: 0 };

/** Step 7 is run again, step 9 goes back to 5, step 6 to 2. */
async function forkedStore(): Promise<MemoryDecisionStore> {
  const store = new MemoryDecisionStore();
  const amend = { skipped: [5, 6, 7, 8, 9], lrScale: 0.5 };
  for (let step = 0; step < 7; step++) await store.decide(decision(0, step));
  await store.decide(decision(0, 7, { verdict: 'again' }));
  for (const step of [7, 8]) await store.decide(decision(1, step));
  await store.decide(decision(1, 9, { verdict: 'rollback', to: 5, amend }));
  await store.decide(decision(2, 5));
  await store.decide(decision(2, 6, { verdict: 'rollback', to: 2 }));
  return store;
}

describe('a history', () => {
  it('of a run that never went back has one timeline', async () => {
    const store = new MemoryDecisionStore();
    await store.decide(decision(0, 0));
    const history = await historyOf(store, start);
    expect([history.current, history.ownerOf(0), history.ownerOf(100)]).toEqual([0, 0, 0]);
    expect(history.leftAt({ timeline: 0, step: 100 })).toBeNull();
  });

  it('takes each step from the last timeline that begins at it or before', async () => {
    const history = await historyOf(await forkedStore(), start);
    expect(history.current).toBe(3);
    expect([0, 1, 2, 3, 7, 9].map((step) => history.ownerOf(step))).toEqual([0, 0, 3, 3, 3, 3]);
  });

  it('is the same whether it is read or followed decision by decision', async () => {
    const store = await forkedStore();
    let history = History.from(start);
    for (const [timeline, step] of [
      [0, 7],
      [1, 9],
      [2, 6],
    ]) {
      history = history.forked((await store.find(timeline, step))!);
    }
    expect(history).toEqual(await historyOf(store, start));
  });

  it('keeps what remedies have left until another leaves more', async () => {
    const history = await historyOf(await forkedStore(), start);
    expect(history.amend).toEqual({ skipped: [5, 6, 7, 8, 9], lrScale: 0.5 });
  });

  it('says of a state that was left how far back the run has gone', async () => {
    const history = await historyOf(await forkedStore(), start);
    const leftAt = (timeline: number, step: number) => history.leftAt({ timeline, step });
    expect([leftAt(0, 2), leftAt(0, 3), leftAt(0, 7), leftAt(1, 8), leftAt(2, 2), leftAt(3, 8)]).toEqual([
      null,
      2,
      2,
      2,
      null,
      null,
    ]);
  });

  it('names the decision that a timeline was opened by, at its first step alone', async () => {
    const history = await historyOf(await forkedStore(), start);
    expect(history.openedAt(2)).toMatchObject({ timeline: 2, step: 6, verdict: 'rollback' });
    expect([history.openedAt(1), history.openedAt(3)]).toEqual([null, null]);
  });

  it('begins with a checkpoint whose decisions are lost, and goes on from there', async () => {
    const store = new MemoryDecisionStore();
    const amend = { skipped: [], lrScale: 0.25 };
    const place = { timeline: 2, step: 8 };
    const before = await historyOf(store, place, amend);
    expect([before.current, before.ownerOf(8), before.amend]).toEqual([2, 2, amend]);
    await store.decide(decision(2, 8));
    await store.decide(decision(2, 9, { verdict: 'again' }));
    const after = await historyOf(store, place, amend);
    expect([after.current, after.ownerOf(8), after.ownerOf(9), after.amend]).toEqual([3, 2, 3, amend]);
  });

  it('refuses a decision that opens none, or is of a timeline that was left', () => {
    const history = History.from(start).forked(decision(0, 4, { verdict: 'again' }));
    expect(() => history.forked(decision(1, 5))).toThrow(RangeError);
    expect(() => history.forked(decision(0, 5, { verdict: 'again' }))).toThrow(RangeError);
  });
});
