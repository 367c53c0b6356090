/** How the experts of a group are shared out to programs. */
import { expect, it } from 'vitest';
import { batchSizes } from '../../src/actors/expert_programs.ts';

it.each([
  [1, [1]],
  [8, [8]],
  [32, [32]],
  [33, [16, 17]],
  [65, [21, 22, 22]],
  [256, Array.from({ length: 8 }, () => 32)],
])('%i experts', (count, sizes) => {
  expect(batchSizes(count)).toEqual(sizes);
});
