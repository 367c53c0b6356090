/** The recent steps: read back from decisions, they are those that a run without a break would remember. */
import { expect, it } from 'vitest';
import type { Decision } from '../../../src/actors/protocol/decision.ts';
import { MemoryDecisionStore } from '../../../src/actors/training/decision_store.ts';
import { RecentSteps } from '../../../src/actors/training/recent_steps.ts';
import { historyOf } from '../../../src/actors/training/timeline.ts';

const common = { gen: 1, timeline: 0, updateStep: 0, lr: 0, clip: 1 };
const commit = (step: number, loss = step): Decision => ({
  ...{ ...common, step, verdict: 'commit' },
  ...{ loss, gradNorm: 10 * step },
});
const skip = (step: number): Decision => ({ ...common, step, verdict: 'skip' });

async function storeOf(decisions: readonly Decision[]) {
  const store = new MemoryDecisionStore();
  for (const decision of decisions) await store.decide(decision);
  return { store, history: await historyOf(store, { timeline: 0, step: 0 }) };
}

it('are the same remembered, and read back at any step', async () => {
  const decisions = [0, 1, 2, 3, 4, 5, 6, 7].map((step) => (step % 3 === 1 ? skip(step) : commit(step)));
  const { store, history } = await storeOf(decisions);
  const remembering = new RecentSteps(store, 3);
  await remembering.before(0, history);
  for (const decision of decisions) {
    remembering.applied(decision);
    const next = decision.step + 1;
    expect(await remembering.before(next, history)).toEqual(await new RecentSteps(store, 3).before(next, history));
  }
  expect(await remembering.before(8, history)).toEqual([3, 5, 6].map((n) => ({ loss: n, gradNorm: 10 * n })));
});

it('are those of the timeline that counts', async () => {
  const again: Decision = { ...common, step: 2, verdict: 'again' };
  const { store, history } = await storeOf([commit(0), commit(1), again, { ...commit(2, 7), timeline: 1 }]);
  const steps = await new RecentSteps(store, 8).before(3, history);
  expect(steps.map(({ loss }) => loss)).toEqual([0, 1, 7]);
});

it('end at a step that the store has lost, and leave out those of records without numbers', async () => {
  const { store, history } = await storeOf([
    commit(0),
    commit(2),
    { ...common, step: 3, verdict: 'commit' },
    commit(4),
  ]);
  const steps = await new RecentSteps(store, 8).before(5, history);
  expect(steps.map(({ loss }) => loss)).toEqual([2, 4]);
});
