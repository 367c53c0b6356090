/** Connections that are cut, and servers that are killed: data is lost until the next gen, a control message never. */
// @module-tag nats-server
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import type { Handlers } from '../../../src/runtime/index.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { nodesOn } from './nats_kit.ts';
import { digest, Sink, sinkProtocol, tensor } from './sink.ts';

let server: NatsServer;
const { pair, close } = nodesOn(() => server);

beforeAll(async () => {
  server = await NatsServer.start();
});

afterEach(close);

afterAll(() => server.close());

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
