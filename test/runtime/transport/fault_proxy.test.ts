// @module-tag nats-server
import { once } from 'node:events';
import { connect as dial, createServer, type Socket } from 'node:net';
import { connect, type NatsConnection as NatsClient } from 'nats';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { FaultProxy } from './fault_proxy.ts';
import { WirePlan, type WireFault, type WireRule } from './wire_plan.ts';

let server: NatsServer;
let proxy: FaultProxy;
const clients: NatsClient[] = [];

beforeAll(async () => {
  server = await NatsServer.start({ maxPayloadBytes: 8 * 2 ** 20 });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await proxy.close();
});

afterAll(() => server.close());

async function client(name: string): Promise<NatsClient> {
  const { url: servers, token = '' } = proxy.address;
  const opened = await connect({ servers, token, name, maxReconnectAttempts: -1, reconnectTimeWait: 10 });
  clients.push(opened);
  return opened;
}

/** A client that publishes and one that listens to `t.>`, both through the proxy; `got` is what came. */
async function pair(rules: readonly WireRule[] = []) {
  proxy = await FaultProxy.open(server.address, new WirePlan(5, rules));
  const [from, to] = await Promise.all([client('from'), client('to')]);
  const got: Uint8Array[] = [];
  const subscription = to.subscribe('t.>');
  await to.flush();
  /** The texts of all, once there are `count`. */
  const received = async (count: number): Promise<string> => {
    for await (const { data } of subscription) if (got.push(data) === count) break;
    return texts();
  };
  const texts = (): string => got.map((data) => Buffer.from(data).toString()).join(' ');
  return { from, to, got, received };
}

/** Resolves at the next status of that type. */
async function status(of: NatsClient, type: string): Promise<void> {
  for await (const { type: got } of of.status()) if (got === type) return;
}

/** What comes of the messages 1 to 6 if this happens after so many. */
const FAULTS: readonly (readonly [WireFault, number, string])[] = [
  [{ kind: 'drop' }, 1, '1 3 4 5 6'],
  [{ kind: 'duplicate' }, 1, '1 2 2 3 4 5 6'],
  [{ kind: 'duplicate', copies: 3 }, 1, '1 2 2 2 2 3 4 5 6'],
  [{ kind: 'reorder', ms: Infinity }, 1, '1 3 2 4 5 6'],
  [{ kind: 'reorder', ms: 20 }, 5, '1 2 3 4 5 6'],
  [{ kind: 'delay', ms: Infinity, messages: 3 }, 1, '1 3 4 5 2 6'],
  [{ kind: 'delay', ms: 20 }, 5, '1 2 3 4 5 6'],
  [{ kind: 'delay', ms: 60_000 }, 1, '1 3 4 5 6'],
  [{ kind: 'freeze', ms: 20 }, 2, '1 2 3 4 5 6'],
];
const DIRECTIONS = ['client', 'server'] as const;

test.each(DIRECTIONS.flatMap((towards) => FAULTS.map((fault) => [towards, ...fault] as const)))(
  'towards the %s, %j after %i messages does what it says',
  async (towards, fault, skip, expected) => {
    const { from, received } = await pair([{ subject: 't.x', fault, skip, towards }]);
    for (let n = 1; n <= 6; n++) from.publish('t.x', String(n));
    expect(await received(expected.split(' ').length)).toBe(expected);
    expect([proxy.counter.of(fault.kind), proxy.plan.events.map((event) => event.fault)]).toEqual([1, [fault]]);
  },
);

test('a corrupt message differs in one bit of its payload', async () => {
  const { from, got, received } = await pair([{ subject: 't.x', fault: { kind: 'corrupt' }, times: 3 }]);
  for (let n = 0; n < 4; n++) from.publish('t.x', new Uint8Array(100));
  await received(4);
  const bits = got.map((data) => data.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0));
  expect([bits, got.map(({ length }) => length)]).toEqual([
    [1, 1, 1, 0],
    [100, 100, 100, 100],
  ]);
});

test('8 MB pass bit for bit, and messages with headers and replies too', async () => {
  const { from, to, got, received } = await pair();
  const payload = Buffer.alloc(8 * 2 ** 20, 'troupe');
  for (let n = 0; n < 4; n++) from.publish('t.x', payload);
  await received(4);
  expect(got.every((data) => payload.equals(data))).toBe(true);
  to.subscribe('ask', { callback: (_error, message) => void message.respond(message.data) });
  await to.flush();
  expect((await from.request('ask', 'hello')).string()).toBe('hello');
  await expect(from.request('nobody')).rejects.toThrow(/no responders/);
});

test('a cut in place of a message ends its connection, and only this one', async () => {
  const { from, to, received } = await pair([{ subject: 't.x', fault: { kind: 'cut' }, skip: 1 }]);
  const back = status(to, 'reconnect');
  for (let n = 1; n <= 3; n++) from.publish('t.x', String(n));
  await back;
  await to.flush();
  from.publish('t.x', '4');
  expect(await received(2)).toBe('1 4');
  expect([proxy.counter.of('cut'), from.stats().inMsgs, proxy.clients.toSorted()]).toEqual([1, 0, ['from', 'to']]);
});

test('clients are cut by name, come back, and are turned away while the proxy refuses', async () => {
  const { from, to } = await pair();
  expect(proxy.cut(/^nobody$/)).toBe(0);
  proxy.refuse();
  const back = [status(from, 'reconnect'), status(to, 'reconnect')];
  expect([proxy.cut(/^from$/), proxy.cut()]).toEqual([1, 1]);
  await proxy.counter.reached('refuse', 4);
  proxy.accept();
  await Promise.all(back);
  await Promise.all([from.flush(), to.flush()]);
  expect([proxy.counter.of('cut'), proxy.clients.toSorted()]).toEqual([2, ['from', 'to']]);
});

test('a pause holds all bytes, new connections too, and loses none', async () => {
  const { from, to, got, received } = await pair();
  proxy.pause();
  const flushed = Promise.all([from.flush(), to.flush()]);
  for (let n = 1; n <= 3; n++) from.publish('t.x', String(n));
  const late = client('late');
  // A way around the proxy, so that whatever could pass would have.
  await proxy.inject('t.x', Buffer.from('0'));
  expect([got, proxy.clients.toSorted()]).toEqual([[], ['from', 'to']]);
  proxy.resume();
  expect(await received(4)).toBe('0 1 2 3');
  await Promise.all([flushed, late]);
  expect(proxy.clients.toSorted()).toEqual(['from', 'late', 'to']);
});

test('a client that leaves during a pause is gone after it', async () => {
  const { from, to } = await pair();
  proxy.pause();
  await from.close();
  expect(proxy.clients.toSorted()).toEqual(['from', 'to']);
  proxy.resume();
  await to.flush();
  await proxy.close();
  expect(proxy.clients).toEqual([]);
});

test('clients that are told of other servers stay with the proxy', async () => {
  const info = { server_id: 'x', version: '2.9.10', proto: 1, max_payload: 1e6, connect_urls: ['127.0.0.1:1'] };
  const sockets: Socket[] = [];
  const talkative = createServer((socket) => {
    sockets.push(socket);
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    socket.on('data', (bytes) => {
      if (bytes.toString().includes('PING')) socket.write(`PONG\r\nINFO ${JSON.stringify(info)}\r\n`);
    });
  });
  talkative.listen(0, '127.0.0.1');
  await once(talkative, 'listening');
  const address = talkative.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  proxy = await FaultProxy.open({ url: `nats://127.0.0.1:${port}` });
  const node = await client('node');
  await node.flush();
  const back = status(node, 'reconnect');
  proxy.cut();
  await back;
  expect([node.getServer(), node.info?.connect_urls]).toEqual([proxy.address.url.slice('nats://'.length), undefined]);
  await node.close();
  talkative.close();
});

test('an unreachable server ends connections, and closing leaves nothing open', async () => {
  proxy = await FaultProxy.open({ url: 'nats://127.0.0.1:1' });
  const socket = dial(Number(new URL(proxy.address.url).port), '127.0.0.1');
  await once(socket, 'close');
  expect(proxy.clients).toEqual([]);
});
