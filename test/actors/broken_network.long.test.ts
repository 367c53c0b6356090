/**
 * Runs on two nodes whose network fails on purpose: what is lost or damaged on the way, a server that is killed and a node
 * that is stopped cost time and never a number.
 */
// @module-tag nats-server
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { RunEvent } from '../../src/actors/run_port.ts';
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

it('data that is lost or damaged costs its step another try', async () => {
  network.proxy.plan = new WirePlan(2, [
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.>', skip: 30 },
    { fault: { kind: 'corrupt' }, subject: 'troupe.*.v1.data.>', skip: 90 },
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.*.node-0', skip: 150 },
  ]);
  const played = await network.playTo(folder);
  expect(network.proxy.plan.events).toHaveLength(3);
  expect(incidents(played)).toHaveLength(3);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('control messages and answers that are lost, doubled and late arrive once all the same', async () => {
  network.proxy.plan = new WirePlan(3, [
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.control.>', probability: 0.02, times: 20 },
    { fault: { kind: 'duplicate' }, subject: 'troupe.*.v1.control.>', probability: 0.1, times: 100 },
    { fault: { kind: 'delay', ms: 20, messages: 2 }, subject: 'troupe.*.v1.control.>', probability: 0.1, times: 100 },
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.ack.>', probability: 0.05, times: 100 },
  ]);
  const played = await network.playTo(folder);
  expect(network.proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('a nats-server that is killed costs a step another try', async () => {
  const played = await network.playTo(folder, () => process.kill(network.server.pid, 'SIGKILL'));
  expect(incidents(played).length).toBeGreaterThan(0);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('a node that is stopped for three seconds goes on where it was', async () => {
  const stop = (events: readonly RunEvent[]): void => {
    const pid = events.flatMap((event) => (event.kind === 'node' && event.name === 'node-1' ? [event.pid] : [])).at(0);
    if (pid === undefined) throw new RangeError('node-1 was not started');
    process.kill(pid, 'SIGSTOP');
    setTimeout(() => process.kill(pid, 'SIGCONT'), 3000);
  };
  const played = await network.playTo(folder, stop);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});
