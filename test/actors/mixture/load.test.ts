/** The load of the balance loss, by hand: over first choices or all, in one part or several, and padding is nobody. */
import { expect, it } from 'vitest';
import { GlobalLoad } from '../../../src/actors/mixture/global_load.ts';
import { loadOf, stepLoadOf } from '../../../src/actors/mixture/load.ts';
import { moeSchema } from '../../../src/topology/schema/moe.ts';

const rule = { num_experts: 2, top_k: 2, aux_loss_coef: 0.5, aux_loss_choices: 'first' } as const;
const choices = {
  choices_RP: Int32Array.of(0, 1, 0, 1, 1, 0, 0, 1),
  scores_RP: new Float32Array(8),
  live_R: null,
};

it.each([
  // alpha E = 1; of four tokens three chose expert 0 first: 3/4 each over four.
  [rule, 1, choices, [3 / 16, 1 / 16]],
  [{ ...rule, aux_loss_choices: 'all' as const }, 1, choices, [1 / 8, 1 / 8]],
  // Two parts of two tokens, each of which has half a share.
  [rule, 2, choices, [1 / 4, 0, 1 / 8, 1 / 8]],
  [rule, 1, { ...choices, live_R: Uint8Array.of(1, 1, 0, 0) }, [1 / 2, 0]],
  [rule, 2, { ...choices, live_R: Uint8Array.of(1, 1, 0, 0) }, [1 / 4, 0, 0, 0]],
])('%j in %i parts', (own, parts, chosen, load) => {
  expect([...loadOf(chosen, own, { rows: 4, size: 4 / parts })]).toEqual(load);
});

it('is of as many rows as there are, where parts have more', () => {
  expect([...loadOf(choices, rule, { rows: 4, size: 16 })]).toEqual([3 / 16, 1 / 16]);
});

/** Tokens of two microbatches: what each scores with two experts, and the choices that follow. */
const scored = [
  [0.9, 0.8, 0.4, 0.7],
  [0.2, 0.6, 0.3, 0.1],
].map((firsts) => ({
  probs: firsts.map((p) => [p, 1 - p]),
  choices: {
    choices_RP: Int32Array.from(firsts.flatMap((p) => (p > 0.5 ? [0, 1] : [1, 0]))),
    scores_RP: new Float32Array(8),
    live_R: null,
  },
}));

/** alpha E Σ f P, in float64. */
function balanceOf(probs: readonly (readonly number[])[], alpha = 0.5): number {
  const f = [0, 1].map((e) => probs.filter((p) => p.indexOf(Math.max(...p)) === e).length / probs.length);
  const P = [0, 1].map((e) => probs.reduce((sum, p) => sum + p[e], 0) / probs.length);
  return alpha * 2 * (f[0] * P[0] + f[1] * P[1]);
}

const weighed = (load_GE: Float32Array, probs: readonly (readonly number[])[], size: number): number =>
  probs.reduce(
    (sum, p, row) => sum + p[0] * load_GE[2 * Math.floor(row / size)] + p[1] * load_GE[2 * Math.floor(row / size) + 1],
    0,
  );

it('weighs probabilities to the loss of the microbatch, of each part of it, and of the whole step', () => {
  for (const { probs, choices: own } of scored) {
    expect(weighed(loadOf(own, rule, { rows: 4, size: 4 }), probs, 4)).toBeCloseTo(balanceOf(probs), 7);
    const halves = (balanceOf(probs.slice(0, 2)) + balanceOf(probs.slice(2))) / 2;
    expect(weighed(loadOf(own, rule, { rows: 4, size: 2 }), probs, 2)).toBeCloseTo(halves, 7);
  }
  const load = new GlobalLoad(moeSchema.parse(rule), { microbatches: 1, dataRanks: 2 });
  for (const [rank, { choices: own }] of scored.entries()) {
    expect(load.of(3)).toBeNull();
    load.hear(3, `router ${rank}`, load.add(3, own, 4)!);
  }
  const load_E = stepLoadOf(load.of(3)!, rule, 2);
  const mean = (weighed(load_E, scored[0].probs, 4) + weighed(load_E, scored[1].probs, 4)) / 2;
  expect(mean).toBeCloseTo(balanceOf(scored.flatMap(({ probs }) => probs)), 7);
});
