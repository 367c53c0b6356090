/** The transport over a nats-server: what it carries, what it counts, and what it says of nodes that are not there. */
// @module-tag nats-server
import { connect, type NatsConnection as NatsClient } from 'nats';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { nodesOn } from './nats_kit.ts';
import { digest, entry, Sink, sinkProtocol, tensor } from './sink.ts';

let server: NatsServer;
let raw: NatsClient;
const { open, node, pair, close } = nodesOn(() => server);

beforeAll(async () => {
  server = await NatsServer.start();
  const { url: servers, token = '' } = server.address;
  raw = await connect({ servers, token, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
});

afterEach(close);

afterAll(async () => {
  await raw.close();
  await server.close();
});

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

test('names that cannot be part of a subject are refused', async () => {
  await expect(node('a.b')).rejects.toThrow("node 'a.b': use 1 to 64 of a-z A-Z 0-9 _ -");
  await expect(node('a', { cluster: 'x y' })).rejects.toMatchObject({ tag: 'InvalidNodeName' });
});
