/** The routing decision: who is chosen, who finds a slot, and that all its parts tell the same story. */
import { describe, expect, it } from 'vitest';
import { route, startsOf, type Routing } from '../../../src/actors/mixture/routing.ts';
import { unit } from '../../../src/runtime/testing/index.ts';

/** Probabilities that send each token to the given expert. */
function towards(experts: number, choices: readonly number[]): Float32Array {
  return Float32Array.from(
    choices.flatMap((choice) => Array.from({ length: experts }, (_, e) => Number(e === choice))),
  );
}

const isKept = ({ slots_RK }: Routing): number[] => Array.from(slots_RK, (slot) => Number(slot !== -1));

describe('drops', () => {
  // Worked out by hand: eight tokens, four experts.
  const probs_RE = towards(4, [0, 0, 1, 0, 0, 2, 0, 1]);

  it.each([
    [2, [1, 1, 1, 0, 0, 1, 0, 1]],
    [4, [1, 1, 1, 1, 1, 1, 0, 1]],
  ])('follow sequence order at capacity %i', (capacity, kept) => {
    const routing = route(probs_RE, { experts: 4, topK: 1, capacity });
    expect(isKept(routing)).toEqual(kept);
    expect([...routing.routed_E]).toEqual([5, 2, 1, 0]);
    expect([...routing.kept_E]).toEqual([Math.min(5, capacity), 2, 1, 0]);
  });

  it('take second choices only after all first ones', () => {
    const probs_RE = Float32Array.from(
      [0.6, 0.4, 0.6, 0.4, 0.4, 0.6].flatMap((p, i) => (i % 2 === 0 ? [p, 1 - p] : [])),
    );
    const routing = route(probs_RE, { experts: 2, topK: 2, capacity: 2 });
    // Token 2's first choice is expert 1, taken before the second choices of tokens 0 and 1.
    expect([...routing.experts_RK]).toEqual([0, 1, 0, 1, 1, 0]);
    expect(isKept(routing)).toEqual([1, 1, 1, 0, 1, 0]);
    expect([...routing.order_S]).toEqual([0, 1, 2, 0]);
    expect([...routing.slots_RK]).toEqual([0, 3, 1, -1, 2, -1]);
    expect([...routing.first_E]).toEqual([2, 1]);
    expect([...routing.routed_E]).toEqual([3, 3]);
  });
});

describe('choices', () => {
  it('fall to the lowest index where probabilities tie', () => {
    const routing = route(new Float32Array(6).fill(1 / 3), { experts: 3, topK: 2, capacity: 4 });
    expect([...routing.experts_RK]).toEqual([0, 1, 0, 1]);
  });

  it('carry the probability as gate, not renormalised', () => {
    const probs_RE = Float32Array.of(0.5, 0.125, 0.375);
    const { experts_RK, gates_RK } = route(probs_RE, { experts: 3, topK: 2, capacity: 1 });
    expect([...experts_RK]).toEqual([0, 2]);
    expect([...gates_RK]).toEqual([0.5, 0.375]);
  });

  it('of a token without numbers are the lowest experts, and its gates carry that on', () => {
    const probs_RE = Float32Array.of(0.25, 0.75, 0, NaN, NaN, NaN, 0.5, 0.125, 0.375);
    const routing = route(probs_RE, { experts: 3, topK: 2, capacity: 3 });
    expect([...routing.experts_RK]).toEqual([1, 0, 0, 1, 0, 2]);
    expect([...routing.gates_RK]).toEqual([0.75, 0.25, NaN, NaN, 0.5, 0.375]);
    expect([...routing.kept_E]).toEqual([3, 2, 1]);
  });

  it('are made for live rows only: padding goes nowhere and is not counted', () => {
    const probs_RE = towards(2, [0, 1, 0, 0]);
    const routing = route(probs_RE, { experts: 2, topK: 1, capacity: 4 }, Uint8Array.of(1, 1, 0, 0));
    const alone = route(probs_RE.subarray(0, 4), { experts: 2, topK: 1, capacity: 4 });
    expect([...routing.slots_RK]).toEqual([0, 1, -1, -1]);
    expect([...routing.gates_RK]).toEqual([1, 1, 0, 0]);
    for (const part of ['order_S', 'routed_E', 'kept_E', 'first_E'] as const)
      expect(routing[part]).toEqual(alone[part]);
  });

  it('of no tokens are none', () => {
    const routing = route(new Float32Array(0), { experts: 4, topK: 2, capacity: 4 });
    expect(routing.experts_RK).toHaveLength(0);
    expect(routing.order_S).toHaveLength(0);
    expect([...routing.kept_E]).toEqual([0, 0, 0, 0]);
  });
});

describe('for random probabilities', () => {
  const cases = Array.from({ length: 60 }, (_, seed) => {
    const experts = 2 + Math.floor(unit(seed, 1) * 7);
    const topK = 1 + Math.floor(unit(seed, 2) * Math.min(3, experts));
    const tokens = Math.floor(unit(seed, 3) * 40);
    const capacity = 1 + Math.floor(unit(seed, 4) * 12);
    // Few distinct values, so that ties happen.
    const probs_RE = Float32Array.from({ length: tokens * experts }, (_, i) => Math.floor(unit(seed, 5, i) * 6) / 6);
    return {
      rule: { experts, topK, capacity },
      tokens,
      probs_RE,
      routing: route(probs_RE, { experts, topK, capacity }),
    };
  });

  it('every token takes its top k, best first', () => {
    for (const { rule, tokens, probs_RE, routing } of cases) {
      for (let t = 0; t < tokens; t++) {
        const probs = Array.from(probs_RE.subarray(t * rule.experts, (t + 1) * rule.experts));
        const best = probs.map((p, e) => ({ p, e })).sort((a, b) => b.p - a.p || a.e - b.e);
        const at = [t * rule.topK, (t + 1) * rule.topK] as const;
        expect([...routing.experts_RK.subarray(...at)]).toEqual(best.slice(0, rule.topK).map(({ e }) => e));
        expect([...routing.gates_RK.subarray(...at)]).toEqual(best.slice(0, rule.topK).map(({ p }) => p));
      }
    }
  });

  it('slots and rows point at each other, packed by expert, no expert above its capacity', () => {
    for (const { rule, tokens, routing } of cases) {
      const { slots_RK, order_S, kept_E, experts_RK } = routing;
      const starts = startsOf(kept_E);
      const taken = [...slots_RK].filter((slot) => slot !== -1).sort((a, b) => a - b);
      expect(taken).toEqual(Array.from(order_S, (_, slot) => slot));
      for (let i = 0; i < tokens * rule.topK; i++) {
        const slot = slots_RK[i];
        if (slot === -1) continue;
        expect(order_S[slot]).toBe(Math.floor(i / rule.topK));
        expect(slot - starts[experts_RK[i]]).toBeGreaterThanOrEqual(0);
        expect(slot - starts[experts_RK[i]]).toBeLessThan(kept_E[experts_RK[i]]);
      }
    }
  });

  it('an expert takes as many rows as choose it, up to its capacity', () => {
    for (const { rule, tokens, routing } of cases) {
      const { experts_RK, routed_E, kept_E, first_E } = routing;
      for (let e = 0; e < rule.experts; e++) {
        expect(routed_E[e]).toBe([...experts_RK].filter((x) => x === e).length);
        expect(kept_E[e]).toBe(Math.min(routed_E[e], rule.capacity));
        expect(first_E[e]).toBe([...experts_RK].filter((x, i) => x === e && i % rule.topK === 0).length);
      }
      expect(first_E.reduce((sum, n) => sum + n, 0)).toBe(tokens);
    }
  });

  it('rows of an expert stand in order of choice, then of sequence', () => {
    for (const { rule, routing } of cases) {
      const { slots_RK, experts_RK } = routing;
      const admitted = Array.from(slots_RK, (slot, i) => ({ slot, e: experts_RK[i], k: i % rule.topK, i }))
        .filter(({ slot }) => slot !== -1)
        .sort((a, b) => a.e - b.e || a.k - b.k || a.i - b.i);
      expect(admitted.map(({ slot }) => slot)).toEqual(admitted.map((_, at) => at));
    }
  });
});
