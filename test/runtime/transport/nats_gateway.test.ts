// @module-tag nats-server
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
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
import { Outgoing } from '../../../src/runtime/system/outgoing.ts';
import { routeFrom } from '../../../src/runtime/system/speaker.ts';
import { Codec } from '../../../src/runtime/transport/codec.ts';
import { HeapFramePool } from '../../../src/runtime/transport/frame.ts';
import { NatsTransport } from '../../../src/runtime/transport/nats_transport.ts';
import { Stamp } from '../../../src/runtime/transport/wire.ts';

const workerProtocol = defineProtocol('gateway-worker', {
  double: ask({ args: z.object({ x: tensorSchema.refine(({ shape }) => shape.length === 1) }), reply: tensorSchema }),
});
/** What a peer of another version, or an attacker, may think of it. */
const looseProtocol = defineProtocol('gateway-loose', {
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
    nats,
    leased: () => [main.leased, worker.leased, nats.pool.leased],
    async close() {
      for (const system of systems) await system.stop();
      [main, worker].forEach((transport) => transport.close());
      await nats.close();
    },
  };
}

let server: NatsServer;
let a: Awaited<ReturnType<typeof openNode>>;
let b: Awaited<ReturnType<typeof openNode>>;

beforeAll(async () => {
  server = await NatsServer.start();
});

afterEach(async () => {
  await Promise.all([a.close(), b.close()]);
});

afterAll(async () => {
  await server.close();
});

async function open(): Promise<void> {
  [a, b] = await Promise.all(NODES.map((node) => openNode(server, node)));
}

/** Resolves when all data that node a has sent so far has been taken in by b. */
async function settled(): Promise<void> {
  for (const { nats } of [a, b]) await nats.links.dataConnection.flush();
}

test('actors on any thread of one node reach those on any thread of another, and no frame stays leased', async () => {
  await open();
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
});

test('bytes count at each hop: between threads at the worker, over NATS where they leave the node', async () => {
  await open();
  const x: TensorPayload = { dtype: 'f32', shape: [1000], data: new Float32Array(1000) };
  await a.systems[1].ref(workerProtocol, 'b/worker/actor').ask.double({ x });
  const [aMain, aWorker, bMain, bWorker] = [...a.systems, ...b.systems].map((system) => system.bytesSentBy());
  const [question, answer] = [aWorker.thread, bWorker.thread];
  expect([question, answer]).toEqual([a, b].map(({ systems }) => systems[1].counters.bytesSent));
  expect(Math.min(question, answer)).toBeGreaterThan(4000);
  expect([aWorker, bWorker].map(({ local }) => local)).toEqual([0, 0]);
  expect(aMain).toEqual({ local: 0, thread: answer, nats: question });
  expect(bMain).toEqual({ local: 0, thread: question, nats: answer });
});

test('what came from another node is held against its schema by the thread it is for, as nothing of this node is', async () => {
  await open();
  const x: TensorPayload = { dtype: 'f32', shape: [1, 1], data: Float32Array.of(1) };
  for (const thread of THREADS) {
    const to = `b/${thread}/actor`;
    const error = { tag: 'InvalidArgs', message: expect.stringContaining(to) as string };
    for (const { ref } of a.systems.map((system) => ({ ref: system.ref(looseProtocol, to) })))
      await expect(ref.ask.double({ x })).rejects.toMatchObject(error);
  }
  const near = b.systems[0].ref(looseProtocol, 'b/worker/actor').ask.double({ x });
  expect((await near).data).toEqual(Float32Array.of(2));
});

test('a malformed frame is counted where it is read: its stamp and route at the gateway, its args at their thread', async () => {
  await open();
  const x: TensorPayload = { dtype: 'f32', shape: [2], data: new Float32Array(2) };
  const codec = new Codec(new HeapFramePool());
  for (const lane of ['data', 'control'] as const) {
    const route = routeFrom({ address: '@a-main', incarnation: 0 }, 'b/worker/actor', 'double', 'tell', lane, false);
    const whole = Buffer.concat(codec.gather(Object.assign(new Outgoing(), { route, args: { x } })));
    const damaged = (place: number, byte: number): Buffer => {
      const bytes = Buffer.from(whole);
      bytes[place] = byte;
      return bytes;
    };
    const noArgs = damaged(Stamp.bytes + whole.readUInt32LE(Stamp.routeBytesU32), 0xc1);
    const noMagic = damaged(Stamp.magicU16, 0);
    const longRoute = damaged(Stamp.routeBytesU32 + 3, 0x7f);
    const longArgs = damaged(Stamp.argsBytesU32 + 3, 0x7f);
    for (const bytes of [noArgs, noMagic, longRoute, longArgs, Buffer.from('x')])
      a.nats.links.send('b', lane, 0, [bytes]);
  }
  await settled();
  for (const system of a.systems) await system.ref(workerProtocol, 'b/worker/actor').ask.double({ x });
  expect(b.systems.map(({ counters }) => counters.malformed)).toEqual([6, 4]);
  expect(b.leased()).toEqual([0, 0, 0]);
});
