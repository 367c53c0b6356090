/**
 * Runs on two nodes whose network fails on purpose: what is lost, doubled, late or damaged on the way, a cut connection, a
 * server that is killed and a node that is stopped cost time and never a number.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { RunEvent } from '../../src/actors/run_port.ts';
import { NatsServer } from '../../src/runtime/cluster/nats.ts';
import { FaultProxy } from '../runtime/transport/fault_proxy.ts';
import { WirePlan } from '../runtime/transport/wire_plan.ts';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
const settings = { 'training.steps': 20, 'training.eval_interval': 10, 'checkpoint.interval': 10 };

/** A model whose checkpoint takes some time. */
const larger = {
  'training.steps': 4,
  'training.eval_interval': 2,
  'checkpoint.interval': 2,
  'model.hidden_size': 256,
  'model.intermediate_size': 1024,
  'cluster.memory_per_worker': '512MiB',
};

let alone: Played;
let aloneLarger: Played;
let server: NatsServer;
let proxy: FaultProxy;
beforeAll(async () => {
  alone = await folder.play(settings);
  aloneLarger = await folder.play({ ...settings, ...larger });
});
beforeEach(async () => {
  server = await NatsServer.start();
  proxy = await FaultProxy.open(server.address);
  process.env.TROUPE_NATS_TOKEN = server.address.token ?? '';
});
afterEach(async () => {
  delete process.env.TROUPE_NATS_TOKEN;
  await proxy.close();
  await server.close();
});
afterAll(() => folder[Symbol.dispose]());

/** Plays through the proxy; `atStep` is called once, when step 5 has been logged, `watch` at all that happens. */
function play(
  atStep: (events: readonly RunEvent[]) => void = () => undefined,
  others: Readonly<Record<string, unknown>> = {},
  watch: (event: RunEvent) => void = () => undefined,
): Promise<Played> {
  const seen: RunEvent[] = [];
  return folder.play(
    { ...settings, ...others, 'cluster.nodes': 2, 'cluster.nats.url': proxy.address.url },
    {
      watch: (event) => {
        seen.push(event);
        watch(event);
        if (event.kind === 'step' && event.metrics.step === 5) atStep(seen);
      },
    },
  );
}

const incidents = ({ events }: Played): string[] =>
  events.flatMap((event) =>
    event.kind === 'notice' && event.text.includes('running the step again in gen') ? [event.text] : [],
  );

it('data that is late, doubled and out of order is put right without running a step again', async () => {
  proxy.plan = new WirePlan(1, [
    { fault: { kind: 'duplicate' }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'delay', ms: 20, messages: 3 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
    { fault: { kind: 'reorder', ms: 20 }, subject: 'troupe.*.v1.data.>', probability: 0.1, times: 100 },
  ]);
  const played = await play();
  expect(proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('data that is lost or damaged costs its step another try', async () => {
  proxy.plan = new WirePlan(2, [
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.>', skip: 30 },
    { fault: { kind: 'corrupt' }, subject: 'troupe.*.v1.data.>', skip: 90 },
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.data.*.node-0', skip: 150 },
  ]);
  const played = await play();
  expect(proxy.plan.events).toHaveLength(3);
  expect(incidents(played)).toHaveLength(3);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('control messages and answers that are lost, doubled and late arrive once all the same', async () => {
  proxy.plan = new WirePlan(3, [
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.control.>', probability: 0.02, times: 20 },
    { fault: { kind: 'duplicate' }, subject: 'troupe.*.v1.control.>', probability: 0.1, times: 100 },
    { fault: { kind: 'delay', ms: 20, messages: 2 }, subject: 'troupe.*.v1.control.>', probability: 0.1, times: 100 },
    { fault: { kind: 'drop' }, subject: 'troupe.*.v1.ack.>', probability: 0.05, times: 100 },
  ]);
  const played = await play();
  expect(proxy.plan.events.length).toBeGreaterThan(50);
  expect(incidents(played)).toEqual([]);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it('connections that are cut in the middle of steps cost those steps another try', async () => {
  proxy.plan = new WirePlan(4, [
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.data.node-1.>', skip: 40 },
    { fault: { kind: 'cut' }, subject: 'troupe.*.v1.control.node-1.>', skip: 60 },
  ]);
  const played = await play(() => proxy.cut());
  expect(proxy.plan.events).toHaveLength(2);
  expect(incidents(played).length).toBeGreaterThan(0);
  expect(bitsOf(played)).toEqual(bitsOf(alone));
});

it.each([20, 150])('connections that are cut %i ms into a checkpoint cost another one', async (ms) => {
  const played = await play(
    () => undefined,
    larger,
    (event) => {
      if (event.kind === 'evaluated' && event.step === 2) setTimeout(() => proxy.cut(), ms);
    },
  );
  expect(played.outcome).toMatchObject({ status: 'done', step: 4 });
  expect(bitsOf(played)).toEqual(bitsOf(aloneLarger));
});

it('a nats-server that is killed costs a step another try', async () => {
  const played = await play(() => process.kill(server.pid, 'SIGKILL'));
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
