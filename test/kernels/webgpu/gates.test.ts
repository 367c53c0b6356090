/** A router's gates, losses and their gradient on the WebGPU device are those of their definitions. */
// @module-tag webgpu
import { afterAll, expect, it } from 'vitest';
import { bothWays, largestError, someRules, titleOf } from '../../models/gates.ts';
import { openDevice } from './kit.ts';

const device = await openDevice();
afterAll(() => device.close());

const few = someRules.filter(({ topK, auxGroups }) => topK === auxGroups || (topK === 2 && auxGroups === 1));

it.each(few.map((rule) => ({ title: titleOf(rule), rule })))('$title', async ({ rule }) => {
  expect(largestError(await bothWays(device, rule))).toBeLessThan(3e-6);
});
