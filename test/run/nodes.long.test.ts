/** A run over other numbers of nodes and workers than `nodes.test.ts` has draws the same curve. */
// @module-tag nats-server
import { basename } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bitsOf, devicesOf, RunFolder, type Played } from './run_kit.ts';
import { devicesOn, onNodes, settings } from '../actors/spread.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

let alone: Played;
beforeAll(async () => {
  alone = await folder.play(settings);
});

it.each([
  [1, 1],
  [2, 2],
  [4, 1],
])('12 steps on %i nodes of %i workers are the bits of one process', async (nodes, workers) => {
  const spread = await folder.play(onNodes(nodes, workers));
  expect(spread.outcome.status).toBe('done');
  expect(spread.curve).toHaveLength(12);
  expect(bitsOf(spread)).toEqual(bitsOf(alone));
  expect(devicesOf(spread.runDir)).toEqual(devicesOn(nodes, workers));
});

it('12 steps that begin with the parameters of another run are the bits of one process', async () => {
  const from = { from: basename(alone.runDir) };
  const spread = await folder.play({ ...onNodes(2, 1), ...from });
  expect(bitsOf(spread)).toEqual(bitsOf(await folder.play({ ...settings, ...from })));
});
