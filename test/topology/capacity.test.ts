/** The capacity of an expert. */
import { expect, test } from 'vitest';
import { expertCapacity } from '../../src/topology/index.ts';

test('capacity is the fair share times the factor, rounded up, within the least and all tokens', () => {
  expect(expertCapacity(2048, 1, 8, 1.25, 4)).toBe(320);
  expect(expertCapacity(100, 1, 8, 1.25, 4)).toBe(16);
  expect(expertCapacity(8, 1, 8, 1.25, 4)).toBe(4);
  expect(expertCapacity(3, 1, 8, 1.25, 4)).toBe(3);
  expect(expertCapacity(1000, 2, 4, 1.1, 4)).toBe(550);
});
