/**
 * Runs on two nodes whose network fails on purpose: what is late or doubled on the way and a cut connection cost time and
 * never a number. What is lost, damaged, killed and stopped is in `broken_network.long.test.ts`.
 */
// @module-tag nats-server
import { expect, it } from 'vitest';
import { WirePlan } from '../runtime/transport/wire_plan.ts';
import { incidents, onFaultyNetworks, settings } from './faulty_network.ts';
import { bitsOf } from './run_kit.ts';

const runs = onFaultyNetworks(settings);

it('data that is late, doubled and out of order is put right without running a step again', async () => {
  runs.network.proxy.plan = new WirePlan(1, [
    { fault: { kind: 'duplicate' }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'delay', ms: 20, messages: 3 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'reorder', ms: 20 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
  ]);
  const played = await runs.network.playTo(runs.folder);
  expect(runs.network.proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(runs.alone));
});

it('connections that are cut in the middle of steps cost those steps another try', async () => {
  runs.network.proxy.plan = new WirePlan(4, [
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.data.node-1.>', skip: 40 },
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.control.node-1.>', skip: 60 },
  ]);
  const played = await runs.network.playTo(runs.folder, () => runs.network.proxy.cut());
  expect(runs.network.proxy.plan.events).toHaveLength(2);
  expect(incidents(played).length).toBeGreaterThan(0);
  expect(bitsOf(played)).toEqual(bitsOf(runs.alone));
});
