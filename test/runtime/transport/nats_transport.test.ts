// @module-tag nats-server
import { connect, type NatsConnection as NatsClient } from 'nats';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { z } from 'zod';
import { ask, defineProtocol, HeapFramePool, type Handlers, type Lane } from '../../../src/runtime/index.ts';
import { ENVELOPE_VERSION, type Envelope, type Kind, type Route } from '../../../src/runtime/system/envelope.ts';
import { Codec } from '../../../src/runtime/transport/codec.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { TestNode, type TestNodeOptions } from './nats_kit.ts';
import { digest, entry, Sink, sinkProtocol, tensor } from './sink.ts';

let server: NatsServer;
let raw: NatsClient;
const open: TestNode[] = [];

beforeAll(async () => {
  server = await NatsServer.start();
  const { url: servers, token = '' } = server.address;
  raw = await connect({ servers, token, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

afterAll(async () => {
  await raw.close();
  await server.close();
});

async function node(name: string, options: TestNodeOptions & { server?: NatsServer } = {}): Promise<TestNode> {
  const opened = await TestNode.open((options.server ?? server).address, name, options);
  open.push(opened);
  return opened;
}

const twinProtocol = defineProtocol('twin', { pass: ask({ args: z.object({ n: z.number() }), reply: z.number() }) });

/** An envelope as it leaves a system, in gen 0. */
const envelopeOf = (kind: Kind, names: Pick<Route, 'to' | 'from' | 'message'>, lane: Lane = 'control'): Envelope => ({
  route: { v: ENVELOPE_VERSION, kind, lane, fenced: true, senderIncarnation: 1, protocol: 'counter', ...names },
  gen: 0,
  paramsVersion: null,
  id: 1,
  replyTo: 0,
  remainingMs: null,
  askChain: [],
  traceparent: null,
  args: undefined,
});

const pair = (options: TestNodeOptions & { server?: NatsServer } = {}): Promise<TestNode[]> =>
  Promise.all(['a', 'b'].map((name) => node(name, options)));

test('actors of two nodes tell and ask each other, and refs travel', async () => {
  const [a, b] = await pair();
  b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  const ref = a.system.ref(counterProtocol, 'b/counter');
  ref.tell.add({ n: 2 });
  ref.tell.add({ n: 3 });
  expect(await ref.ask.get()).toBe(5);
  await expect(ref.ask.refuse({ message: 'no' })).rejects.toMatchObject({ tag: 'RangeError', message: 'no' });
  expect(a.transport.counters).toMatchObject({ framesSent: 4, framesReceived: 2, resent: 0, malformed: 0, corrupt: 0 });
});

test('a frame is refused, counted and reported once where its sender lives on another node than its subject says', async () => {
  const [[a, b], c] = await Promise.all([pair(), node('c')]);
  const counter = b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  // Two actors of one name; node a is where that name belongs.
  const twins = [a, c].map(({ system }) =>
    system.spawn(twinProtocol, 'a/twin', (scope) => ({
      pass: ({ n }) => {
        scope.ref(counterProtocol, 'b/counter').tell.add({ n });
        // What c sends behind it, and what b answers: that b has got this says that it has seen all before.
        return system.ref(counterProtocol, 'b/counter').ask.get();
      },
    })),
  );
  expect(await twins[0].ask.pass({ n: 1 })).toBe(1);
  expect([await twins[1].ask.pass({ n: 10 }), await twins[1].ask.pass({ n: 20 })]).toEqual([1, 1]);
  expect(await counter.ask.get()).toBe(1);
  expect(b.transport.counters).toMatchObject({ misattributed: 2, malformed: 0 });
  expect(b.log).toEqual([
    "node c: 'add' for b/counter says that it is from a/twin by lane control, and came by lane control; refused, as all " +
      'from there that others sent: see who else has the token of the cluster',
  ]);
});

test('a frame is refused that comes by another lane than its own', async () => {
  const [a, b] = await pair();
  const counter = b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  const toCounter = a.system.ref(counterProtocol, 'b/counter');
  const bulk = { ...envelopeOf('tell', { to: 'b/counter', from: '@a', message: 'bulk' }, 'data'), args: { n: 5 } };
  const frame = new Codec(new HeapFramePool()).gather(bulk);
  a.transport.links.send('b', 'control', 0, frame);
  expect(await toCounter.ask.get()).toBe(0);
  expect(await counter.ask.get()).toBe(0);
  expect(b.transport.counters).toMatchObject({ misattributed: 1 });
});

test('an answer counts only if it is by the actor that was asked', async () => {
  const [a, b] = await pair();
  const c = await node('c');
  b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  c.system.spawn(counterProtocol, 'c/counter', () => new Counter());
  const asked = a.system.ref(counterProtocol, 'b/counter').ask.later({ key: 'k' });
  // The ids of asks are counted: whoever wants to answer the first can.
  const names = { to: '@a', from: 'c/counter', message: 'later' };
  const forged = { ...envelopeOf('reply', names), replyTo: 1, args: 'forged' };
  c.transport.links.send('a', 'control', 0, new Codec(new HeapFramePool()).gather(forged));
  await c.system
    .ref(counterProtocol, 'a/nobody')
    .ask.get()
    .catch(() => undefined);
  a.system.ref(counterProtocol, 'b/counter').tell.release({ key: 'k' });
  expect(await asked).toBe('released k');
  expect(a.system.counters).toMatchObject({ lateReplies: 1 });
});

test('an actor that nobody has, and one that its node has not, are reported', async () => {
  const [a] = await pair();
  await expect(a.system.ref(counterProtocol, 'nobody/x').ask.get()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  await expect(a.system.ref(counterProtocol, 'b/x').ask.get()).rejects.toMatchObject({ tag: 'NoSuchActor' });
});

test('tensors of 0 bytes to 3 MiB arrive bit by bit on both lanes, in order, and leave no lease', async () => {
  const [a, b] = await pair();
  const sink = new Sink();
  b.system.spawn(sinkProtocol, 'b/sink', () => sink);
  const ref = a.system.ref(sinkProtocol, 'b/sink');
  const tensors = [0, 1, 256, 65_536, 786_432].map(tensor);
  tensors.forEach((x, n) => ref.tell.put({ n, x }));
  const expected = tensors.map((x, n) => entry(n, x));
  expect(await ref.ask.await({ count: tensors.length })).toBe(expected.join(' '));
  for (const x of tensors) expect(digest(await ref.ask.echo({ x }))).toBe(digest(x));
  await b.system.idle();
  expect([sink.seen, a.pool.leased, b.pool.leased]).toEqual([expected, 0, 0]);
  expect([a.broken, b.broken]).toEqual([[], []]);
});

test('messages are cut to what the server takes', async () => {
  const small = await NatsServer.start({ maxPayloadBytes: 32 * 1024 });
  const [a, b] = await pair({ server: small });
  b.system.spawn(sinkProtocol, 'b/sink', () => new Sink());
  const x = tensor(100_000, 1);
  expect(digest(await a.system.ref(sinkProtocol, 'b/sink').ask.echo({ x }))).toBe(digest(x));
  await Promise.all(open.splice(0).map((each) => each.close()));
  await small.close();
});

test('more than the flush window waits here, and all of it arrives in order', async () => {
  const [a, b] = await pair({ limits: { unflushedBytes: 100_000, chunkBytes: 30_000 } });
  b.system.spawn(sinkProtocol, 'b/sink', () => new Sink(), { dataCapacity: 1_000 });
  const ref = a.system.ref(sinkProtocol, 'b/sink');
  const x = tensor(25_000, 3);
  for (let n = 0; n < 200; n++) ref.tell.put({ n, x });
  expect(a.transport.counters.framesSent).toBeLessThan(5);
  const expected = Array.from({ length: 200 }, (_, n) => entry(n, x)).join(' ');
  expect(await ref.ask.await({ count: 200 })).toBe(expected);
  expect([a.transport.counters.framesSent, a.broken, b.broken]).toEqual([201, [], []]);
});

test('what waits beyond the limit breaks the link, and the rest is counted as not sent', async () => {
  const [a] = await pair({ limits: { maxQueuedBytes: 250_000, unflushedBytes: 1 } });
  const x = tensor(25_000, 3);
  const ref = a.system.ref(sinkProtocol, 'b/sink');
  for (let n = 0; n < 5; n++) ref.tell.put({ n, x });
  expect(a.broken.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^a → b: data lost in gen 0: \d+ bytes wait to be sent, the limit is 250000$/),
  ]);
  expect(a.transport.counters.unsent).toBeGreaterThan(0);
});

test('a message that came twice is handled once', async () => {
  const [a, b] = await pair({ cluster: 'twice' });
  const counter = new Counter();
  b.system.spawn(counterProtocol, 'b/counter', () => counter);
  raw
    .subscribe('troupe.twice.v1.*.b.a', { callback: (_error, { subject, data }) => raw.publish(subject, data) })
    .unsubscribe(2);
  await raw.flush();
  const ref = a.system.ref(counterProtocol, 'b/counter');
  ref.tell.bulk({ n: 1 });
  ref.tell.add({ n: 1 });
  // Each flush goes behind what was published before it, or brings what has come before it.
  const flushes = [a.transport.links.dataConnection, raw, raw, b.transport.links.dataConnection];
  for (const connection of flushes) await connection.flush();
  expect(await ref.ask.get()).toBe(2);
  await raw.flush();
  expect(await ref.ask.get()).toBe(2);
  expect([counter.seen.toSorted(), b.transport.counters.duplicates]).toEqual([['add 1', 'bulk 1'], 2]);
});

test('what is no chunk is dropped and counted, whoever sends it', async () => {
  const [a, b] = await pair({ cluster: 'noise' });
  b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  for (const lane of ['control', 'data', 'ack']) {
    raw.publish(`troupe.noise.v1.${lane}.b.a`, 'hello');
    raw.publish(`troupe.noise.v1.${lane}.b.a`, new Uint8Array(100));
  }
  await raw.flush();
  await b.transport.links.dataConnection.flush();
  expect(await a.system.ref(counterProtocol, 'b/counter').ask.get()).toBe(0);
  expect(b.transport.counters).toMatchObject({ malformed: 6, corrupt: 0, foreign: 0, framesReceived: 1 });
});

test('two clusters of one name on one server do not hear each other', async () => {
  const [a, b] = await pair({ cluster: 'same', runId: 'run-1' });
  const stranger = await node('b', { cluster: 'same', runId: 'run-2' });
  const counters = [b, stranger].map(({ system }) => {
    const counter = new Counter();
    system.spawn(counterProtocol, 'b/counter', () => counter);
    return counter;
  });
  const ref = a.system.ref(counterProtocol, 'b/counter');
  ref.tell.add({ n: 1 });
  expect(await ref.ask.get()).toBe(1);
  // Two messages, and the acknowledgement of the answer, which is sent after the answer was handed over.
  await expect.poll(() => stranger.transport.counters.foreign).toBe(3);
  expect(counters.map(({ sum }) => sum)).toEqual([1, 0]);
});

test('a control message waits for a node that is not there yet, with a hint', async () => {
  const a = await node('a', { limits: { retryMs: 20 } });
  const hint = a.next('no responders late');
  const answer = a.system.ref(counterProtocol, 'late/counter').ask.get();
  await hint;
  const late = await node('late');
  late.system.spawn(counterProtocol, 'late/counter', () => new Counter());
  expect(await answer).toBe(0);
  expect(a.transport.counters.resent).toBeGreaterThan(0);
});

test('when a node is lost, asks to it fail and what waits for it is given up', async () => {
  const a = await node('a');
  const ref = a.system.ref(counterProtocol, 'gone/counter');
  const answer = expect(ref.ask.get()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  a.transport.lose('gone');
  await answer;
  expect(a.transport.counters.unsent).toBe(1);
});

test('a cut data connection breaks the links that it carried, on both sides, until the next gen', async () => {
  const [a, b] = await pair();
  b.system.spawn(sinkProtocol, 'b/sink', () => new Sink());
  const ref = a.system.ref(sinkProtocol, 'b/sink');
  ref.tell.put({ n: 0, x: tensor(10, 0) });
  await ref.ask.await({ count: 1 });
  const back = [a.next('data connected'), b.next('data connected')];
  await Promise.all([a, b].map(({ transport }) => transport.links.dataConnection.client.reconnect()));
  await Promise.all(back);
  ref.tell.put({ n: 1, x: tensor(10, 1) });
  expect([a.broken, b.broken].map((errors) => errors.map(({ message }) => message))).toEqual([
    ['a → b: data lost in gen 0: the connection to the NATS server was lost'],
    ['a → b: data lost in gen 0: the connection to the NATS server was lost'],
  ]);
  expect(a.transport.counters.unsent).toBe(1);
  for (const { system, transport } of [a, b]) {
    system.enter(1);
    transport.enter(1);
  }
  ref.tell.put({ n: 2, x: tensor(10, 2) });
  expect(await ref.ask.await({ count: 2 })).toMatch(/^0:\w+ 2:\w+$/);
});

test('a cut control connection loses nothing', async () => {
  const [a, b] = await pair();
  b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  const ref = a.system.ref(counterProtocol, 'b/counter');
  const cut = a.next('control disconnected');
  for (let n = 0; n < 50; n++) ref.tell.add({ n: 1 });
  await a.transport.links.controlConnection.client.reconnect();
  for (let n = 0; n < 50; n++) ref.tell.add({ n: 1 });
  await cut;
  for (let n = 0; n < 50; n++) ref.tell.add({ n: 1 });
  expect(await ref.ask.get()).toBe(150);
});

test('a server that is killed costs the data of a gen, and no control message', async () => {
  const [a, b] = await pair();
  const sink = new Sink();
  b.system.spawn(sinkProtocol, 'b/sink', () => sink);
  b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  const [put, count] = [a.system.ref(sinkProtocol, 'b/sink'), a.system.ref(counterProtocol, 'b/counter')];
  put.tell.put({ n: 0, x: tensor(10, 0) });
  await put.ask.await({ count: 1 });
  const lost = Promise.all([a.next('data disconnected'), a.next('control disconnected'), b.next('broken')]);
  const back = Promise.all([a.next('data connected'), b.next('data connected')]);
  process.kill(server.pid, 'SIGKILL');
  await lost;
  // Sent into the outage: kept if it is control, given up if it is data.
  for (let n = 0; n < 100; n++) count.tell.add({ n: 1 });
  put.tell.put({ n: 1, x: tensor(10, 1) });
  const sum = count.ask.get(undefined, { timeoutMs: 30_000 });
  await back;
  expect(await sum).toBe(100);
  expect([a.broken.length, b.broken.length, a.transport.counters.unsent]).toEqual([1, 1, 1]);
  for (const { system, transport } of [a, b]) {
    system.enter(1);
    transport.enter(1);
  }
  put.tell.put({ n: 2, x: tensor(10, 2) });
  await put.ask.await({ count: 2 });
  expect(sink.seen).toHaveLength(2);
});

test('a server that is killed in the middle of bulk data costs that gen, and the next one arrives bit by bit', async () => {
  const [a, b] = await pair();
  const sink = new Sink();
  const { seen } = sink;
  const begun = Promise.withResolvers<undefined>();
  const createNoticed = (): Handlers<typeof sinkProtocol> => ({
    put: (args) => {
      sink.put(args);
      begun.resolve(undefined);
    },
    echo: (args) => sink.echo(args),
    await: (args, ctx) => sink.await(args, ctx),
  });
  b.system.spawn(sinkProtocol, 'b/sink', createNoticed, { dataCapacity: 1_000 });
  const put = a.system.ref(sinkProtocol, 'b/sink');
  const tensors = Array.from({ length: 150 }, (_, n) => tensor(60_000 + 500 * n, n));
  const expected = tensors.map((x, n) => `${n}:${digest(x)}`);
  const lost = Promise.all([a.next('data disconnected'), b.next('broken')]);
  const back = Promise.all([a.next('data connected'), b.next('data connected')]);
  tensors.forEach((x, n) => put.tell.put({ n, x }));
  await begun.promise;
  process.kill(server.pid, 'SIGKILL');
  await lost;
  await back;
  await b.system.idle();
  expect(seen).toEqual(expected.slice(0, seen.length));
  expect(seen.length).toBeLessThan(expected.length);
  seen.length = 0;
  for (const { system, transport } of [a, b]) {
    system.enter(1);
    transport.enter(1);
  }
  tensors.forEach((x, n) => put.tell.put({ n, x }));
  expect(await put.ask.await({ count: tensors.length })).toBe(expected.join(' '));
  expect([a.broken.length, b.broken.length, a.pool.leased, b.pool.leased]).toEqual([1, 1, 0, 0]);
});

test('names that cannot be part of a subject are refused', async () => {
  await expect(node('a.b')).rejects.toThrow("node 'a.b': use 1 to 64 of a-z A-Z 0-9 _ -");
  await expect(node('a', { cluster: 'x y' })).rejects.toMatchObject({ tag: 'InvalidNodeName' });
});
