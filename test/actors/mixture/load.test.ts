/** The load of the balance loss, by hand: over first choices or all, in one part or several, and padding is nobody. */
import { expect, it } from 'vitest';
import { loadOf } from '../../../src/actors/mixture/load.ts';

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
  expect([...loadOf(chosen, own, { rows: 4, parts })]).toEqual(load);
});
