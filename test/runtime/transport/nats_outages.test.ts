// @module-tag nats-server
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { CONTROL, DATA, FaultPair, type FaultPairOptions } from './fault_pair.ts';
import { tensor } from './sink.ts';
import type { Towards } from './wire_plan.ts';

let server: NatsServer;
let pair: FaultPair;

beforeAll(async () => {
  server = await NatsServer.start();
});

afterEach(() => pair.close());

afterAll(() => server.close());

async function open(options: FaultPairOptions = {}): Promise<FaultPair> {
  pair = await FaultPair.open(server, options);
  return pair;
}

const tensors = (count: number) => Array.from({ length: count }, (_, i) => tensor(2_000, i));

/** Tells and asks in turn, under way until the promise resolves: all handled once, in order, each ask answered. */
function converse(count: number): Promise<void> {
  const { toCounter, counter } = pair;
  const before = counter.sum;
  const answers = Array.from({ length: count }, () => {
    toCounter.tell.add({ n: 1 });
    return toCounter.ask.get(undefined, { timeoutMs: 60_000 });
  });
  return Promise.all(answers).then((sums) => {
    expect(sums).toEqual(Array.from({ length: count }, (_, i) => before + i + 1));
    expect(counter.sum).toBe(before + count);
  });
}

/** In the next gen all that is put arrives, and nothing is left over. */
async function expectNextGen(gen: number): Promise<void> {
  const { sink, toSink } = pair;
  const broken = pair.broken;
  pair.enter(gen);
  const done = sink.seen.length;
  const expected = pair.put(tensors(20), 1_000 * gen);
  await toSink.ask.await({ count: done + 20 }, { timeoutMs: 60_000 });
  await pair.settle();
  expect([sink.seen.slice(done), pair.broken, pair.leased]).toEqual([expected, broken, [0, 0]]);
}

test.each<[Towards, string[][]]>([
  ['client', [[], ['disconnected 0']]],
  ['server', [['disconnected 0'], []]],
])('data cut in a burst towards the %s breaks the link where it was cut', async (towards, broken) => {
  const { proxy, a, b, sink } = await open({ rules: [{ subject: DATA, towards, skip: 30, fault: { kind: 'cut' } }] });
  const expected = pair.put(tensors(10));
  await pair.settle();
  const back = (towards === 'client' ? b : a).next('data connected');
  expected.push(...pair.put(tensors(100), 10));
  await Promise.all([back, converse(20)]);
  await pair.settle();
  expect([pair.broken, proxy.counter.of('cut')]).toEqual([broken, 1]);
  // Of what came before the cut, some was still under way.
  expect(sink.seen).toEqual(expected.slice(0, Math.min(30, sink.seen.length)));
  await expectNextGen(1);
});

test('control cut in a burst, both ways and again and again, loses nothing and doubles nothing', async () => {
  const subjects = [CONTROL, 'troupe.test.v1.control.a.b', 'troupe.test.v1.ack.a.b', 'troupe.test.v1.ack.b.a'];
  const rules = (['client', 'server'] as const).flatMap((towards) =>
    subjects.map((subject, i) => ({
      subject,
      towards,
      skip: 3 * i,
      times: 2,
      fault: { kind: 'cut' } as const,
    })),
  );
  const { proxy, b } = await open({ rules, limits: { retryMs: 100 } });
  await converse(200);
  expect(proxy.counter.of('cut')).toBeGreaterThanOrEqual(4);
  expect(b.system.counters.delivered).toBe(400);
  expect(pair.broken).toEqual([[], []]);
});

test('all connections cut at once, and refused for a while, break the data link at both ends', async () => {
  const { proxy, a, b } = await open();
  await converse(1);
  pair.put(tensors(10));
  await pair.settle();
  proxy.refuse();
  const back = [a, b].map((node) => node.next('data connected'));
  expect(proxy.cut()).toBe(4);
  const conversation = converse(50);
  await proxy.counter.reached('refuse', 8);
  proxy.accept();
  await Promise.all([...back, conversation]);
  expect(pair.broken).toEqual([['disconnected 0'], ['disconnected 0']]);
  await expectNextGen(1);
});

test('a server that is killed amid asks and data costs the gen, and no answer', async () => {
  const rules = [{ subject: CONTROL, skip: 100, fault: { kind: 'freeze', ms: Infinity } } as const];
  const { proxy, a, b, sink } = await open({ rules });
  const expected = pair.put(tensors(10));
  await pair.settle();
  const back = [a, b].map((node) => node.next('data connected'));
  expected.push(...pair.put(tensors(200), 10));
  const conversation = converse(200);
  await proxy.counter.reached('freeze', 1);
  process.kill(server.pid, 'SIGKILL');
  proxy.resume();
  await Promise.all([...back, conversation]);
  await pair.settle();
  expect(pair.broken).toEqual([['disconnected 0'], ['disconnected 0']]);
  expect(sink.seen).toEqual(expected.slice(0, sink.seen.length));
  await expectNextGen(1);
});

test('a short freeze is no error', async () => {
  const { proxy, a, b, toSink } = await open({
    rules: [{ subject: DATA, fault: { kind: 'freeze', ms: 300 }, skip: 5 }],
    limits: { stallMs: 60_000 },
  });
  const expected = pair.put(tensors(100));
  await converse(20);
  expect(await toSink.ask.await({ count: 100 }, { timeoutMs: 60_000 })).toBe(expected.join(' '));
  await pair.settle();
  expect([proxy.counter.of('freeze'), pair.broken, pair.leased]).toEqual([1, [[], []], [0, 0]]);
  expect([a, b].map(({ transport }) => transport.counters.broken)).toEqual([0, 0]);
});

test('a freeze longer than the limit breaks the link by a stall, and asks are answered after it', async () => {
  const { proxy, b, sink } = await open({
    rules: [{ subject: DATA, fault: { kind: 'freeze', ms: Infinity }, skip: 31 }],
    limits: { chunkBytes: 1_000, stallMs: 200 },
  });
  const broken = b.next('broken');
  const expected = pair.put(tensors(100));
  const conversation = converse(20);
  await broken;
  proxy.resume();
  await conversation;
  await pair.settle();
  // Nine chunks a frame: the fourth was begun.
  expect([sink.seen, pair.broken, b.transport.counters.partial]).toEqual([expected.slice(0, 3), [[], ['stall 0']], 1]);
  await expectNextGen(1);
});

test('a freeze until the clients give up costs the gen, and no answer', async () => {
  const { proxy, a, b, sink } = await open({ limits: { stallMs: 60_000 } });
  const first = pair.put(tensors(10));
  await converse(1);
  await pair.settle();
  const lost = [a, b].flatMap((node) => [node.next('data disconnected'), node.next('control disconnected')]);
  const back = [a, b].map((node) => node.next('data connected'));
  proxy.pause();
  pair.put(tensors(10), 10);
  const conversation = converse(50);
  await Promise.all(lost);
  proxy.resume();
  await Promise.all([...back, conversation]);
  await pair.settle();
  expect(pair.broken).toEqual([['disconnected 0'], ['disconnected 0']]);
  expect(sink.seen).toEqual(first);
  await expectNextGen(1);
});
