/** A run over node processes and a real nats-server draws the curve of the run in one thread. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bitsOf, devicesOf, recordOf, RunFolder, type Played } from './run_kit.ts';
import { devicesOn, onNodes, processor, settings } from '../actors/spread.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const kept = { 'moe.record': 'routing' };

let alone: Played;
beforeAll(async () => {
  alone = await folder.play({ ...settings, ...kept });
});

describe('12 steps', () => {
  it.each([
    [1, 2],
    [2, 1],
  ])('on %i nodes of %i workers are the bits of one process', { tags: ['nats-server'] }, async (nodes, workers) => {
    const spread = await folder.play({ ...onNodes(nodes, workers), ...kept });
    expect(spread.outcome.status).toBe('done');
    expect(spread.curve).toHaveLength(12);
    expect(bitsOf(spread)).toEqual(bitsOf(alone));
    expect(recordOf(spread)).toEqual(recordOf(alone));
    expect(devicesOf(spread.runDir)).toEqual(devicesOn(nodes, workers));
  });

  it('in one process without NATS but with threads are the same bits', async () => {
    const threaded = await folder.play({ ...settings, 'cluster.workers_per_node': 2 });
    expect(bitsOf(threaded)).toEqual(bitsOf(alone));
    expect(devicesOf(threaded.runDir)).toEqual(devicesOn(1, 2));
  });

  it('in one thread say what they were computed on', () => {
    expect(devicesOf(alone.runDir)).toEqual([{ ...processor, node: 'node-0', worker: 'node-0' }]);
  });
});
