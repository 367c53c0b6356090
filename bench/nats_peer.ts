/**
 * The receiving process of the NATS benchmark. For ours: a node with an actor that takes tensors. For the bare client: a
 * subscriber that copies what comes into memory. Both answer when a burst is complete.
 */

import { connect } from 'nats';
import { z } from 'zod';
import {
  ActorSystem,
  ask,
  defineProtocol,
  SystemClock,
  tell,
  tensorSchema,
  type Context,
  type Reply,
} from '../src/runtime/index.ts';
import type { NatsAddress } from '../src/runtime/transport/nats_connection.ts';
import { NatsTransport } from '../src/runtime/transport/nats_transport.ts';

export const sinkProtocol = defineProtocol('bench-sink', {
  put: tell({ lane: 'data', args: z.object({ x: tensorSchema }) }),
  /** Answers when that many have been put since the last answer. */
  burst: ask({ args: z.object({ messages: z.number() }), reply: z.number() }),
});

export const BARE_DATA = 'bench.bare.data';
export const BARE_BURST = 'bench.bare.burst';

/** A node of the benchmark; addresses start with the name of their node. */
export async function benchNode(server: NatsAddress, node: string): Promise<[ActorSystem, NatsTransport]> {
  const transport = await NatsTransport.open({
    server,
    cluster: 'bench',
    node,
    runId: 'bench',
    clock: new SystemClock(),
    directory: (address) => address.replace('@', '').split('/')[0],
    events: {
      broken: (error) => {
        throw error;
      },
      noResponders: () => undefined,
    },
  });
  return [new ActorSystem({ name: node, transport }), transport];
}

/** Counts up to a goal that is set before or after it is reached. */
class Goal {
  #reached = 0;
  #goal = Infinity;
  #met: () => void = () => undefined;

  add(amount: number): void {
    this.#reached += amount;
    this.#look();
  }

  set(goal: number, met: () => void): void {
    this.#goal = goal;
    this.#met = met;
    this.#look();
  }

  #look(): void {
    if (this.#reached < this.#goal) return;
    this.#reached -= this.#goal;
    this.#goal = Infinity;
    this.#met();
  }
}

async function serve(server: NatsAddress): Promise<void> {
  const [system] = await benchNode(server, 'peer');
  const goal = new Goal();
  system.spawn(
    sinkProtocol,
    'peer/sink',
    () => ({
      put: () => goal.add(1),
      burst({ messages }: { messages: number }, ctx: Context): Reply<number> {
        const reply = ctx.defer<number>();
        goal.set(messages, () => reply.resolve(messages));
        return reply;
      },
    }),
    { dataCapacity: 100_000 },
  );
  const bare = await connect({ servers: server.url, ...(server.token === undefined ? {} : { token: server.token }) });
  const bareGoal = new Goal();
  const memory = Buffer.alloc(64 << 20);
  let at = 0;
  bare.subscribe(BARE_DATA, {
    callback: (_error, { data }) => {
      if (at + data.length > memory.length) at = 0;
      memory.set(data, at);
      at += data.length;
      bareGoal.add(data.length);
    },
  });
  bare.subscribe(BARE_BURST, {
    callback: (_error, message) => bareGoal.set(Number(message.string()), () => message.respond()),
  });
  await bare.flush();
  process.send?.('ready');
}

if (process.argv[1] === import.meta.filename) {
  process.on('disconnect', () => process.exit());
  await serve({ url: process.env.BENCH_URL ?? '', token: process.env.BENCH_TOKEN ?? '' });
}
