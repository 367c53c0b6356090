/** Admission: who finds a slot in which order, and that every choice made is sent, spilled or dropped, whatever the rule. */
import { describe, expect, it } from 'vitest';
import {
  admit,
  startsOf,
  type AdmissionRule,
  type Choices,
  type Routing,
} from '../../../src/actors/mixture/admission.ts';
import { capacityOf } from '../../../src/topology/index.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

const rule = { experts: 4, topK: 1, choices: 1, size: 8, slots: 2, order: 'position' } as const;

const chosen = (
  choices: readonly number[],
  scores = choices.map(() => 1),
  live: readonly number[] | null = null,
): Choices => ({
  choices_RP: Int32Array.from(choices),
  scores_RP: Float32Array.from(scores),
  live_R: live === null ? null : Uint8Array.from(live),
});

const isKept = ({ slots_RK }: Routing): number[] => Array.from(slots_RK, (slot) => Number(slot !== -1));

/** Papers' example: eight tokens, four experts. */
const eight = [0, 0, 1, 0, 0, 2, 0, 1];

describe('capacity', () => {
  const base = {
    num_experts: 4,
    top_k: 1,
    capacity_factor: 1,
    eval_capacity_factor: 2,
    capacity_rounding: 'ceil',
    min_capacity: 0,
    group_size: undefined,
    overflow: 'drop',
  } as const;

  it.each([
    [1, 2, [1, 1, 1, 0, 0, 1, 0, 1]],
    [1.25, 2, [1, 1, 1, 0, 0, 1, 0, 1]],
    [2, 4, [1, 1, 1, 1, 1, 1, 0, 1]],
  ])('factor %f floors to %i slots of eight tokens, which drops in the order of positions', (factor, slots, kept) => {
    const capacity = capacityOf({ ...base, capacity_factor: factor, capacity_rounding: 'floor' }, 8, true);
    expect(capacity).toEqual({ size: 8, slots });
    expect(isKept(admit(chosen(eight), { ...rule, ...capacity }))).toEqual(kept);
  });

  it.each([
    [{ capacity_factor: 1.25 }, { size: 8, slots: 3 }],
    [
      { capacity_factor: 1.25, min_capacity: 5 },
      { size: 8, slots: 5 },
    ],
    [{ min_capacity: 100 }, { size: 8, slots: 8 }],
    [{ group_size: 4 }, { size: 4, slots: 1 }],
    [
      { group_size: 4, overflow: 'dropless' },
      { size: 4, slots: 4 },
    ],
    [{ overflow: 'dropless' }, { size: 8, slots: 8 }],
  ] as const)('%j gives %j', (more, expected) => {
    expect(capacityOf({ ...base, ...more }, 8, true)).toEqual(expected);
  });

  it('is of each group of tokens', () => {
    const routing = admit(chosen(eight), { ...rule, size: 4, slots: 1 });
    expect(isKept(routing)).toEqual([1, 0, 1, 0, 1, 1, 0, 1]);
    expect([...routing.kept_E]).toEqual([2, 2, 1, 0]);
  });

  it.each([3, 16])('admits every token where groups of %i do not divide the rows, as in a prompt', (size) => {
    const routing = admit(chosen(eight), { ...rule, size, slots: 8 });
    expect([...routing.order_S].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(routing).toMatchObject({ routed: 8, dropped: 0 });
  });
});

describe('slots', () => {
  it('go to second choices only after all first ones', () => {
    const routing = admit(chosen([0, 1, 0, 1, 1, 0]), { ...rule, experts: 2, topK: 2, choices: 2 });
    expect(isKept(routing)).toEqual([1, 1, 1, 0, 1, 0]);
    expect([...routing.order_S]).toEqual([0, 1, 2, 0]);
    expect([...routing.slots_RK]).toEqual([0, 3, 1, -1, 2, -1]);
    expect([...routing.first_E]).toEqual([2, 1]);
    expect([...routing.routed_E]).toEqual([3, 3]);
  });

  it('go to the highest scores of an expert, of equal ones to the first', () => {
    const scores = [0.3, 0.5, 0.9, 0.5, 0.8, 0.1, NaN, 0.2];
    expect(isKept(admit(chosen(eight, scores), { ...rule, order: 'probs' }))).toEqual([0, 1, 1, 0, 1, 1, 0, 1]);
  });

  it('go to tokens by their best score, and to all first choices before second ones', () => {
    // Token 1 is surest, and its second choice comes after the first of token 0.
    const choices = chosen([0, 1, 1, 0, 0, 1], [0.6, 0.4, 0.9, 0.1, 0.7, 0.3]);
    const routing = admit(choices, { ...rule, experts: 2, topK: 2, choices: 2, slots: 1, order: 'batch_prioritized' });
    expect(isKept(routing)).toEqual([0, 0, 1, 0, 1, 0]);
  });

  it('of the next choices go to those that found none, pass by pass', () => {
    const choices = chosen([0, 1, 2, 0, 1, 2, 0, 2, 1, 0, 1, 3]);
    const routing = admit(choices, { ...rule, choices: 3, slots: 1 });
    // Of four that want expert 0 one gets it, then expert 1 takes the next, 2 the one after; the last finds 3 in the third pass.
    expect([...routing.experts_RK]).toEqual([0, 1, 2, 3]);
    expect(routing).toMatchObject({ routed: 4, spilled: 3, dropped: 0 });
    expect([...routing.routed_E]).toEqual([4, 0, 0, 0]);
  });

  it('are asked for by second choices only where their chance is below gate / 0.2', () => {
    const choices = chosen([0, 1, 0, 1], [0.9, 0.1, 0.98, 0.02]);
    const chance = (): number => 0.4;
    const routing = admit(choices, { ...rule, topK: 2, choices: 2, slots: 4 }, chance);
    expect([...routing.slots_RK]).toEqual([0, 2, 1, -1]);
    expect([...routing.routed_E]).toEqual([2, 1, 0, 0]);
    expect(routing).toMatchObject({ routed: 3, dropped: 0 });
  });

  it('that chance leaves out go to nobody, and count in the gates of their tokens, which are shares of all choices', () => {
    const choices = chosen([0, 1, 2], [0.9, 0.1, 0.05]);
    const routing = admit(choices, { ...rule, topK: 2, choices: 3 }, () => 0.9);
    expect([...routing.experts_RK]).toEqual([0, 1]);
    expect([...routing.slots_RK]).toEqual([0, -1]);
    expect(routing).toMatchObject({ routed: 1, spilled: 0, dropped: 0 });
  });

  it('are not taken by padding', () => {
    const routing = admit(chosen(eight, undefined, [0, 0, 0, 1, 1, 1, 1, 1]), rule);
    expect(isKept(routing)).toEqual([0, 0, 0, 1, 1, 1, 0, 1]);
    expect([...routing.experts_RK]).toEqual([-1, -1, -1, 0, 0, 2, 0, 1]);
    expect(routing).toMatchObject({ routed: 5, dropped: 1 });
  });

  it('of no tokens are none', () => {
    expect(admit(chosen([]), rule)).toMatchObject({ routed: 0, spilled: 0, dropped: 0 });
  });
});

/** R tokens with P different experts each, some of them padding. */
function random(R: number, { experts: E, choices: P }: AdmissionRule, salt: number): Choices {
  const each = Array.from({ length: R }, (_, row) => {
    const order = Array.from({ length: E }, (_, e) => e).sort((a, b) => unit(salt, row, a) - unit(salt, row, b));
    return order.slice(0, P);
  });
  const scores = Array.from({ length: R * P }, (_, i) => unit(salt, 7, i));
  return chosen(each.flat(), scores, salt % 2 === 0 ? null : Array.from({ length: R }, (_, row) => row % 5 && 1));
}

const cases = (['position', 'probs', 'batch_prioritized'] as const).flatMap((order) =>
  [1, 2, 3, 4].flatMap((topK) =>
    [
      { overflow: 'drop', choices: topK, slots: 3 },
      { overflow: 'spill', choices: topK + 3, slots: 3 },
      { overflow: 'dropless', choices: topK, slots: 12 },
    ].map(({ overflow, ...more }) => ({ overflow, rule: { experts: 8, topK, size: 12, order, ...more } })),
  ),
);

describe.each(cases)('$overflow, $rule.order, k $rule.topK', ({ overflow, rule: tried }) => {
  it('accounts for every choice, in slots that fit together', () => {
    for (let salt = 0; salt < 20; salt++) {
      const choices = random(24, tried, salt);
      const { experts_RK, slots_RK, order_S, kept_E, routed_E, routed, spilled, dropped } = admit(choices, tried);
      const live = choices.live_R?.reduce((sum, x) => sum + x, 0) ?? 24;
      expect(routed).toBe(live * tried.topK);
      expect(routed_E.reduce((sum, n) => sum + n, 0)).toBe(routed);
      expect(order_S.length + dropped).toBe(routed);
      expect(kept_E.reduce((sum, n) => sum + n, 0)).toBe(order_S.length);
      if (overflow === 'dropless') expect(dropped).toBe(0);
      if (overflow !== 'spill') expect(spilled).toBe(0);
      const starts = startsOf(kept_E);
      const taken = new Set<number>();
      slots_RK.forEach((slot, visit) => {
        if (slot === -1) return;
        const expert = experts_RK[visit];
        expect(slot).toBeGreaterThanOrEqual(starts[expert]);
        expect(slot).toBeLessThan(starts[expert] + kept_E[expert]);
        expect(order_S[slot]).toBe(Math.floor(visit / tried.topK));
        taken.add(slot);
      });
      expect(taken.size).toBe(order_S.length);
      // No expert has more of a group than it may, and no token visits one twice.
      for (const group of [0, 1]) {
        const visits = Array.from({ length: 12 * tried.topK }, (_, i) => group * 12 * tried.topK + i);
        const counts = visits.filter((i) => slots_RK[i] !== -1).map((i) => experts_RK[i]);
        for (let e = 0; e < 8; e++) expect(counts.filter((x) => x === e).length).toBeLessThanOrEqual(tried.slots);
      }
      for (let row = 0; row < 24; row++) {
        const kept = Array.from({ length: tried.topK }, (_, k) => row * tried.topK + k).filter(
          (i) => slots_RK[i] !== -1,
        );
        expect(new Set(kept.map((i) => experts_RK[i])).size).toBe(kept.length);
      }
    }
  });
});
