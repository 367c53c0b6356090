/** Capacity, by hand. */
import { expect, test } from 'vitest';
import { capacityOf, choicesOf, mostRowsOf } from '../../src/topology/index.ts';
import { moeSchema } from '../../src/topology/schema/moe.ts';

const rule = (more: Record<string, unknown>) => moeSchema.parse(more);

test.each([
  [{}, 2048, 320],
  [{}, 100, 16],
  [{}, 8, 4],
  [{}, 3, 3],
  [{ num_experts: 4, top_k: 2, capacity_factor: 1.1 }, 1000, 550],
  [{ capacity_rounding: 'floor' }, 100, 15],
  [{ capacity_rounding: 'floor', min_capacity: 0 }, 6, 0],
])('of %j and %i tokens an expert takes %i', (more, tokens, slots) => {
  expect(capacityOf(rule(more), tokens, true)).toEqual({ size: tokens, slots });
});

test('is of each group of tokens, and an expert has memory for all groups of the larger factor', () => {
  expect(capacityOf(rule({ group_size: 512 }), 2048, true)).toEqual({ size: 512, slots: 80 });
  expect(mostRowsOf(rule({ group_size: 512 }), 2048)).toBe(4 * 128);
});

test('is none where no token is dropped', () => {
  expect(capacityOf(rule({ overflow: 'dropless' }), 2048, true)).toEqual({ size: 2048, slots: 2048 });
});

test.each([
  [{ top_k: 2 }, 2],
  [{ overflow: 'spill' }, 4],
  [{ overflow: 'spill', top_k: 5, spill_choices: 6 }, 6],
])('with %j a token may try %i experts', (more, choices) => {
  expect(choicesOf(rule(more))).toBe(choices);
});
