import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  ActorSystem,
  ask,
  defineProtocol,
  seatThreads,
  SystemClock,
  tensorSchema,
  ThreadTransport,
  type TensorPayload,
} from '../../../src/runtime/index.ts';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { NatsTransport } from '../../../src/runtime/transport/nats_transport.ts';

const workerProtocol = defineProtocol('gateway-worker', {
  double: ask({ args: z.object({ x: tensorSchema }), reply: tensorSchema }),
});

const NODES = ['a', 'b'];
const THREADS = ['main', 'worker'];

/** Every system and actor of the two nodes: addresses are `@node-thread` and `node/thread/actor`. */
const addresses = NODES.flatMap((node) =>
  THREADS.flatMap((thread) => [`@${node}-${thread}`, `${node}/${thread}/actor`]),
);
const nodeOf = (address: string): string | null => /^@?([ab])[-/]/.exec(address)?.[1] ?? null;
const threadOf = (address: string): string => /(main|worker)/.exec(address)?.[1] ?? 'main';

/** A node with a main and a worker seat, both on this thread: their ports are real, which is what matters here. */
async function openNode(server: NatsServer, node: string) {
  const placement = new Map(
    addresses.map((address) => [address, nodeOf(address) === node ? threadOf(address) : 'main']),
  );
  const [main, worker] = seatThreads(THREADS, { placement }).map((seat) => new ThreadTransport(seat));
  const nats = await NatsTransport.open({
    server: server.address,
    cluster: 'gateway',
    runId: 'run-1',
    node,
    clock: new SystemClock(),
    near: main,
    directory: nodeOf,
    events: { broken: () => undefined, noResponders: () => undefined },
  });
  const systems = [
    new ActorSystem({ name: `${node}-main`, transport: nats }),
    new ActorSystem({ name: `${node}-worker`, transport: worker }),
  ];
  systems.forEach((system, i) =>
    system.spawn(workerProtocol, `${node}/${THREADS[i]}/actor`, () => ({
      double: ({ x }: { x: TensorPayload }): TensorPayload => ({
        dtype: 'f32',
        shape: x.shape,
        data: Float32Array.from(x.data, (value) => 2 * value),
      }),
    })),
  );
  return {
    systems,
    leased: () => [main.leased, worker.leased, nats.pool.leased],
    async close() {
      for (const system of systems) await system.stop();
      [main, worker].forEach((transport) => transport.close());
      await nats.close();
    },
  };
}

test('actors on any thread of one node reach those on any thread of another, and no frame stays leased', async () => {
  const server = await NatsServer.start();
  const [a, b] = await Promise.all(NODES.map((node) => openNode(server, node)));
  const x: TensorPayload = { dtype: 'f32', shape: [100_000], data: new Float32Array(100_000).fill(1.5) };
  for (const system of a.systems) {
    for (const thread of THREADS) {
      const y = await system.ref(workerProtocol, `b/${thread}/actor`).ask.double({ x });
      expect([y.shape, y.data[0], y.data[99_999]]).toEqual([[100_000], 3, 3]);
    }
  }
  const missing = a.systems[1].ref(workerProtocol, 'b/worker/nobody').ask.double({ x });
  await expect(missing).rejects.toMatchObject({ tag: 'NoSuchActor' });
  for (const { systems } of [a, b]) for (const system of systems) await system.idle();
  expect([a.leased(), b.leased()]).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
  await Promise.all([a.close(), b.close()]);
  await server.close();
});
