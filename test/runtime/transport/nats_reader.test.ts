// @module-tag nats-server
import { EventEmitter, once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { NatsConnectionImpl } from 'nats';
import { expect, test, vi } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { NatsConnection } from '../../../src/runtime/transport/nats_connection.ts';
import { FaultProxy } from './fault_proxy.ts';

const BYTES = 256 * 1024;
/** What Node reads from a socket at once. */
const READ_BYTES = 64 * 1024;
const NONSENSE = Buffer.from([0, 1, 2, 255, 254, 13, 10]);

test('a message of several reads lies in memory of its length, also after a reconnect', async () => {
  const server = await NatsServer.start();
  const proxy = await FaultProxy.open(server.address);
  const receiver = await NatsConnection.open(proxy.address, 'receiver');
  const sender = await NatsConnection.open(server.address, 'sender');
  const events = new EventEmitter();
  receiver.watch({ connected: () => events.emit('back') });
  let memory: number[] = [];
  let sum = 0;
  receiver.subscribe('bulk', ({ data }) => {
    memory.push(data.buffer.byteLength);
    sum += data[BYTES - 1];
    if (memory.length === 20) events.emit('all');
  });
  const receive = async (): Promise<number> => {
    memory = [];
    await receiver.flush();
    const all = once(events, 'all');
    for (let i = 0; i < 20; i++) sender.publish('bulk', new Uint8Array(BYTES).fill(i));
    await all;
    return Math.max(...memory);
  };

  const first = await receive();
  const back = once(events, 'back');
  proxy.cut();
  await back;
  const second = await receive();
  await Promise.all([receiver.close(), sender.close()]);
  await proxy.close();
  await server.close();
  // The client would take 448 KiB.
  expect([first, second].map((bytes) => bytes <= BYTES + READ_BYTES)).toEqual([true, true]);
  expect(sum).toBe(2 * 190);
});

test('messages that are lent come whole, in memory that is used again', async () => {
  const server = await NatsServer.start();
  const receiver = await NatsConnection.open(server.address, 'receiver', { lendsMessages: true });
  const sender = await NatsConnection.open(server.address, 'sender');
  const events = new EventEmitter();
  const memory = new Set<ArrayBufferLike>();
  const wrong: number[] = [];
  let count = 0;
  receiver.subscribe('bulk', ({ data }) => {
    memory.add(data.buffer);
    const size = sizeOf(count);
    if (data.length !== size || !data.every((byte) => byte === count % 256)) wrong.push(count);
    if (++count === 200) events.emit('all');
  });
  // Large ones come in parts, and between small ones.
  const sizeOf = (i: number): number => [BYTES, 10, 3_000, BYTES / 2, 1][i % 5];
  await receiver.flush();
  const all = once(events, 'all');
  for (let i = 0; i < 200; i++) sender.publish('bulk', new Uint8Array(sizeOf(i)).fill(i));
  await all;
  await Promise.all([receiver.close(), sender.close()]);
  await server.close();
  expect(wrong).toEqual([]);
  // Two or three for reads, and for what comes in parts one that grows a few times.
  expect(memory.size).toBeLessThan(12);
});

/** Stands between a client and the server at `port`, greets as `greeting` says, tells what it hears, and can say what it likes. */
async function stranger(
  port: number,
  greeting: Buffer,
  heard: (connection: number, bytes: Buffer) => void = () => undefined,
) {
  const sockets: Socket[] = [];
  const clients: Socket[] = [];
  const server = createServer((client) => {
    const behind = new Socket().connect(port, '127.0.0.1');
    sockets.push(client, behind);
    clients.push(client);
    for (const socket of [client, behind]) socket.on('error', () => undefined);
    const connection = clients.length;
    client.on('data', (bytes) => heard(connection, bytes));
    if (greeting.length > 0) client.write(greeting);
    client.pipe(behind).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    say: (bytes: Buffer) => void clients.at(-1)?.write(bytes),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test.each([
  ['bytes that are no protocol', NONSENSE],
  ['a length below zero', Buffer.from('MSG troupe.x 1 -5\r\n\0\r\n')],
  ['news that are no JSON', Buffer.from('INFO {"a":\0}\r\n')],
])('a connection over which %s come is given up without a word, and made anew', async (_what, bytes) => {
  const server = await NatsServer.start();
  const { url, say, close } = await stranger(server.port, Buffer.alloc(0));
  using printed = vi.spyOn(console, 'log');
  const { token = '' } = server.address;
  const connection = await NatsConnection.open({ url, token }, 'receiver');
  const events = new EventEmitter();
  const [lost, back] = [once(events, 'lost'), once(events, 'back')];
  connection.watch({ disconnected: () => events.emit('lost'), connected: () => events.emit('back') });
  say(bytes);
  await Promise.all([lost, back]);
  expect([await connection.flush(), printed.mock.calls]).toEqual([true, []]);
  await connection.close();
  close();
  await server.close();
});

test('a connection that is made anew is tended before the flush that makes it count is confirmed', async () => {
  const server = await NatsServer.start();
  let pings = 0;
  const events = new EventEmitter();
  const { url, say, close } = await stranger(server.port, Buffer.alloc(0), (connection, bytes) => {
    if (connection !== 2) return;
    pings += bytes.toString('latin1').split('PING\r\n').length - 1;
    // The first is of the client's greeting.
    if (pings !== 2) return;
    pings += 1;
    say(NONSENSE);
  });
  using printed = vi.spyOn(console, 'log');
  const { token = '' } = server.address;
  const connection = await NatsConnection.open({ url, token }, 'receiver');
  const back = once(events, 'back');
  connection.watch({ connected: () => events.emit('back') });
  say(NONSENSE);
  await back;
  expect([pings, await connection.flush(), printed.mock.calls]).toEqual([3, true, []]);
  await connection.close();
  close();
  await server.close();
});

test("bytes that are no protocol, read while a connection closes, are nobody else's failure", async () => {
  const server = await NatsServer.start();
  const { client } = await NatsConnection.open(server.address, 'receiver');
  if (!(client instanceof NatsConnectionImpl)) throw new RangeError('another client');
  const { parser } = client.protocol;
  await client.close();
  // A rejection that nobody hears would end the node, and fails this run.
  parser.parse(NONSENSE);
  await expect(client.reconnect()).rejects.toThrow('closed connection');
  await server.close();
});

test.each([
  ['noise', Buffer.from([0, 1, 2, 255, 254, 10, 13, 10]), 'unexpected response from server'],
  ['another protocol', Buffer.from('HTTP/1.1 400 Bad\r\n\r\n'), 'unexpected response from server'],
  ['JSON of something else', Buffer.from('INFO {}\r\n'), 'what listens there is no NATS server'],
  [
    'JSON with noise in it',
    Buffer.from('INFO {"a":\0\xff}\r\n', 'latin1'),
    `Unexpected token '?', "{"a":?}" is not valid JSON`,
  ],
])('a greeting of %s is quoted in one line that can be printed', async (_what, greeting, detail) => {
  using printed = vi.spyOn(console, 'log');
  const { url, close } = await stranger(1, greeting);
  await expect(NatsConnection.open({ url }, 'test')).rejects.toThrow(
    `${url}: no NATS server answers (${detail}); start one`,
  );
  expect(printed.mock.calls).toEqual([]);
  close();
});
