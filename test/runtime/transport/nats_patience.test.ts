/** A server that does not answer at first is asked again for as long as was said, and one of the run's own is called that. */
// @module-tag nats-server
import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { SystemClock } from '../../../src/runtime/index.ts';
import { NatsConnection } from '../../../src/runtime/transport/nats_connection.ts';

const clock = new SystemClock();

/** A way to the server at `port` that is cut for the first `cuts` who come. */
async function wayTo(port: number, cuts: number) {
  let came = 0;
  const way = createServer((client) => {
    came += 1;
    if (came <= cuts) return client.destroy();
    const behind = new Socket().connect(port, '127.0.0.1');
    for (const socket of [client, behind]) socket.on('error', () => undefined);
    client.pipe(behind).pipe(client);
  });
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  return { url: `nats://127.0.0.1:${(way.address() as AddressInfo).port}`, came: () => came, close: () => way.close() };
}

test('a connection that is cut while it is made is made again', async () => {
  const server = await NatsServer.start();
  const { url, came, close } = await wayTo(server.port, 3);
  const { token = '' } = server.address;
  const connection = await NatsConnection.openPatiently({ url, token }, 'test', { clock, patienceMs: 600_000 });
  expect([await connection.flush(), came()]).toEqual([true, 4]);
  await connection.close();
  close();
  await server.close();
});

test('nobody is asked for longer than was said, or again where the answer was no', async () => {
  const { url, came, close } = await wayTo(1, Infinity);
  const once = NatsConnection.openPatiently({ url }, 'test', { clock, patienceMs: 0 });
  await expect(once).rejects.toThrow(/no NATS server answers \(.+\); start one there or correct cluster\.nats\.url$/);
  expect(came()).toBe(1);
  close();
  const server = await NatsServer.start();
  const address = { url: server.address.url, token: 'wrong' };
  const refused = NatsConnection.openPatiently(address, 'test', { clock, patienceMs: 600_000 });
  await expect(refused).rejects.toMatchObject({ tag: 'NatsRefused' });
  await server.close();
});

test('whoever asks can be interrupted', async () => {
  const { url, close } = await wayTo(1, Infinity);
  const stop = new AbortController();
  const asked = NatsConnection.openPatiently({ url }, 'test', { clock, patienceMs: 600_000, signal: stop.signal });
  const refused = expect(asked).rejects.toThrow('enough');
  stop.abort(new Error('enough'));
  await refused;
  close();
});

test("the run's own server that does not answer is no wrong address", async () => {
  const address = { url: 'nats://127.0.0.1:1', log: '/runs/mine/nats/nats-server.log' };
  await expect(NatsConnection.open(address, 'test')).rejects.toThrow(
    /^nats:\/\/127\.0\.0\.1:1: no NATS server answers \(.+\); it was started for this run: see \/runs\/mine\/nats\/nats-server\.log, and launch again$/,
  );
});
