/**
 * Runs on two nodes whose network fails on purpose: what is lost, doubled, late or damaged on the way, a cut connection, a
 * server that is killed and a node that is stopped cost time and never a number.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { RunEvent } from '../../src/actors/run_port.ts';
import { WirePlan } from '../runtime/transport/wire_plan.ts';
import { FaultyNetwork } from './faulty_network.ts';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
const settings = { 'training.steps': 12, 'training.eval_interval': 6, 'checkpoint.interval': 6 };

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

/** Plays over the network; `atStep` is called once, when step 5 has been logged. */
function play(atStep: (events: readonly RunEvent[]) => void = () => undefined): Promise<Played> {
  const seen: RunEvent[] = [];
  return network.play(folder, settings, {
    watch: (event) => {
      seen.push(event);
      if (event.kind === 'step' && event.metrics.step === 5) atStep(seen);
    },
  });
}

const incidents = ({ events }: Played): string[] =>
  events.flatMap((event) =>
    event.kind === 'notice' && event.text.includes('running the step again in gen') ? [event.text] : [],
  );

it('data that is late, doubled and out of order is put right without running a step again', async () => {
  network.proxy.plan = new WirePlan(1, [
    { fault: { kind: 'duplicate' }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'delay', ms: 20, messages: 3 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'reorder', ms: 20 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
  ]);
  const played = await play();
  expect(network.proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('data that is lost or damaged costs its step another try', async () => {
  network.proxy.plan = new WirePlan(2, [
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.>', skip: 30 },
    { fault: { kind: 'corrupt' }, subject: 'troupe.*.v1.data.>', skip: 90 },
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.*.node-0', skip: 150 },
  ]);
  const played = await play();
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
  const played = await play();
  expect(network.proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('connections that are cut in the middle of steps cost those steps another try', async () => {
  network.proxy.plan = new WirePlan(4, [
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.data.node-1.>', skip: 40 },
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.control.node-1.>', skip: 60 },
  ]);
  const played = await play(() => network.proxy.cut());
  expect(network.proxy.plan.events).toHaveLength(2);
  expect(incidents(played).length).toBeGreaterThan(0);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('a nats-server that is killed costs a step another try', async () => {
  const played = await play(() => process.kill(network.server.pid, 'SIGKILL'));
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
  const played = await play(stop);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});
