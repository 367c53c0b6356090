/**
 * Runs on two nodes whose network fails on purpose: what is late or doubled on the way and a cut connection cost time and
 * never a number. What is lost, damaged, killed and stopped is in `broken_network.long.test.ts`.
 */
// @module-tag nats-server
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { WirePlan } from '../runtime/transport/wire_plan.ts';
import { FaultyNetwork, incidents, settings } from './faulty_network.ts';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();

let alone: Played;
let network: FaultyNetwork;
beforeAll(async () => {
  alone = await folder.play(settings);
});
beforeEach(async () => {
  network = await FaultyNetwork.open();
});
afterEach(() => network.close());
afterAll(() => folder[Symbol.dispose]());

it('data that is late, doubled and out of order is put right without running a step again', async () => {
  network.proxy.plan = new WirePlan(1, [
    { fault: { kind: 'duplicate' }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'delay', ms: 20, messages: 3 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'reorder', ms: 20 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
  ]);
  const played = await network.playTo(folder);
  expect(network.proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('connections that are cut in the middle of steps cost those steps another try', async () => {
  network.proxy.plan = new WirePlan(4, [
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.data.node-1.>', skip: 40 },
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.control.node-1.>', skip: 60 },
  ]);
  const played = await network.playTo(folder, () => network.proxy.cut());
  expect(network.proxy.plan.events).toHaveLength(2);
  expect(incidents(played).length).toBeGreaterThan(0);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});
