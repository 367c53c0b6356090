/**
 * Runs on two nodes whose network fails on purpose: what is late, doubled, lost or damaged on the way, a cut connection, a server
 * that is killed and a node that is stopped cost time and never a number.
 */
// @module-tag nats-server
import { expect, it } from 'vitest';
import type { RunEvent } from '../../src/run/run_port.ts';
import { WirePlan } from '../runtime/transport/wire_plan.ts';
import { incidents, onFaultyNetworks, settings } from './faulty_network.ts';
import { bitsOf } from './run_kit.ts';

const runs = onFaultyNetworks(settings);

it('data that is lost or damaged costs its step another try', async () => {
  runs.network.proxy.plan = new WirePlan(2, [
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.>', skip: 30 },
    { fault: { kind: 'corrupt' }, subject: 'troupe.*.v1.data.>', skip: 90 },
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.*.node-0', skip: 150 },
  ]);
  const played = await runs.network.playTo(runs.folder);
  expect(runs.network.proxy.plan.events).toHaveLength(3);
  expect(incidents(played)).toHaveLength(3);
  expect(bitsOf(played)).toEqual(bitsOf(runs.alone));
});

it('control messages and answers that are lost, doubled and late arrive once all the same', async () => {
  runs.network.proxy.plan = new WirePlan(3, [
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.control.>', probability: 0.02, times: 20 },
    { fault: { kind: 'duplicate' }, subject: 'troupe.*.v1.control.>', probability: 0.1, times: 100 },
    { fault: { kind: 'delay', ms: 20, messages: 2 }, subject: 'troupe.*.v1.control.>', probability: 0.1, times: 100 },
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.ack.>', probability: 0.05, times: 100 },
  ]);
  const played = await runs.network.playTo(runs.folder);
  expect(runs.network.proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(runs.alone));
});

it('a nats-server that is killed costs a step another try', async () => {
  const played = await runs.network.playTo(runs.folder, () => process.kill(runs.network.server.pid, 'SIGKILL'));
  expect(incidents(played).length).toBeGreaterThan(0);
  expect(bitsOf(played)).toEqual(bitsOf(runs.alone));
});

it('a node that is stopped for three seconds goes on where it was', async () => {
  const stop = (events: readonly RunEvent[]): void => {
    const pid = events.flatMap((event) => (event.kind === 'node' && event.name === 'node-1' ? [event.pid] : [])).at(0);
    if (pid === undefined) throw new RangeError('node-1 was not started');
    process.kill(pid, 'SIGSTOP');
    setTimeout(() => process.kill(pid, 'SIGCONT'), 3000);
  };
  const played = await runs.network.playTo(runs.folder, stop);
  expect(bitsOf(played)).toEqual(bitsOf(runs.alone));
});

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
