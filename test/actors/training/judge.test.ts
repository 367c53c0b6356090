/** The judge: which decision a step gets, and what the store is asked for it. */
import { expect, it } from 'vitest';
import { MemoryDecisionStore } from '../../../src/actors/training/decision_store.ts';
import { Judge } from '../../../src/actors/training/judge.ts';
import type { Decision } from '../../../src/actors/protocol/decision.ts';
import { smallTopology } from '../kit.ts';

/** Writes down which steps it is asked for. */
class AskedStore extends MemoryDecisionStore {
  asked: number[] = [];
  newestAsked = 0;

  override find(timeline: number, step: number): Promise<Decision | null> {
    this.asked.push(step);
    return super.find(timeline, step);
  }

  override newest(timeline: number): Promise<number | null> {
    this.newestAsked += 1;
    return super.newest(timeline);
  }
}

const skipOf = (step: number): Decision => ({
  gen: 1,
  timeline: 0,
  step,
  verdict: 'skip',
  updateStep: 0,
  lr: 0,
  clip: 1,
});

function scene() {
  const store = new AskedStore();
  const judge = new Judge(smallTopology(), store, () => expect.fail('no incident here'), 1_000);
  const decide = async (step: number): Promise<Decision> => {
    const { standing } = await judge.decide({ step, loss: 3, gradNorm: 1 }, { gen: 2, updateStep: 0 });
    judge.applied(standing);
    return standing;
  };
  return { store, judge, decide };
}

it('looks steps up only as far as there were decisions when it began', async () => {
  const { store, decide } = scene();
  await store.decide(skipOf(4));
  await store.decide(skipOf(5));
  expect(await decide(4)).toEqual(skipOf(4));
  expect(await decide(5)).toEqual(skipOf(5));
  for (const step of [6, 7, 8]) expect(await decide(step)).toMatchObject({ step, verdict: 'commit' });
  // The last one of all first: it would say where another timeline begins.
  expect(store.asked).toEqual([5, 4, 5]);
  expect(store.newestAsked).toBe(2);
});

it('follows each step to the timeline that it is on', async () => {
  const { store, decide } = scene();
  await store.decide({ ...skipOf(4), verdict: 'again' });
  await store.decide({ ...skipOf(4), timeline: 1, gen: 2 });
  expect(await decide(4)).toEqual({ ...skipOf(4), timeline: 1, gen: 2 });
  expect(await decide(5)).toMatchObject({ timeline: 1, step: 5, verdict: 'commit' });
});

it('follows what was decided in a gen that ended before anybody heard of it', async () => {
  const { store, judge, decide } = scene();
  await decide(0);
  await store.decide(skipOf(1));
  judge.genOver();
  expect(await decide(1)).toEqual(skipOf(1));
  expect(await decide(2)).toMatchObject({ step: 2, verdict: 'commit' });
  expect(store.asked).not.toContain(2);
  expect(store.newestAsked).toBe(4);
});
