/**
 * The receiving process of the NATS benchmark. For ours: a node with sinks on both its threads. For the bare client: a
 * subscriber that copies what comes into memory. Asked over the process's channel, it says what CPU time its main thread
 * has used.
 */

import { connect } from 'nats';
import type { NatsAddress } from '../src/runtime/cluster/nats.ts';
import { openNode } from './nats.node.ts';
import { Goals } from './nats.protocol.ts';

export const BARE_DATA = 'bench.bare.data';
export const BARE_BURST = 'bench.bare.burst';

/** CPU time that this thread has used, in ms. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e3;
}

async function serveBare({ url, token = '' }: NatsAddress): Promise<void> {
  const bare = await connect({ servers: url, token });
  const goals = new Goals();
  const memory = Buffer.alloc(64 << 20);
  let at = 0;
  bare.subscribe(BARE_DATA, {
    callback: (_error, { data }) => {
      if (at + data.length > memory.length) at = 0;
      memory.set(data, at);
      at += data.length;
      goals.add(data.length);
    },
  });
  bare.subscribe(BARE_BURST, {
    callback: (_error, message) => goals.set(Number(message.string()), () => message.respond()),
  });
  await bare.flush();
}

if (process.argv[1] === import.meta.filename) {
  const server = { url: process.env.BENCH_URL ?? '', token: process.env.BENCH_TOKEN ?? '' };
  process.on('disconnect', () => process.exit());
  process.on('message', () => process.send?.(threadCpuMs()));
  await openNode(server, 'peer');
  await serveBare(server);
  process.send?.('ready');
}
