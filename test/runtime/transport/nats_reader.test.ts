import { EventEmitter, once } from 'node:events';
import { expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { NatsConnection } from '../../../src/runtime/transport/nats_connection.ts';
import { FaultProxy } from './fault_proxy.ts';

const BYTES = 256 * 1024;
/** What Node reads from a socket at once. */
const READ_BYTES = 64 * 1024;

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
