// @module-tag nats-server
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { WorkerHostOptions } from '../../../src/runtime/cluster/index.ts';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { NODES, openGatewayNode, type GatewayNode } from './nats_gateway_kit.ts';
import { digestOf, sinkProtocol, tensorOf, workerProtocol } from './thread_actors.ts';

const KIB = 1024;
/** Text, one chunk, one chunk and a bit, many chunks; then small again. */
const SIZES = [0, 64, 64 * KIB, 256 * KIB, 1024 * KIB, 3000 * KIB, 4];

let server: NatsServer;
let nodes: GatewayNode[] = [];

beforeAll(async () => {
  server = await NatsServer.start();
});

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

afterAll(async () => {
  await server.close();
});

async function pair(options: Partial<WorkerHostOptions> = {}): Promise<GatewayNode[]> {
  nodes = await Promise.all(NODES.map((node) => openGatewayNode(server.address, node, options)));
  return nodes;
}

const handsOf = ({ system }: GatewayNode, node = system.name) => system.ref(workerProtocol, `${node}.worker-0/hands`);
const digests = (sizes: readonly number[]): string[] => sizes.map((bytes, seed) => digestOf(tensorOf(bytes, seed)));

/** Frames in use on all threads of both nodes. */
async function leased(): Promise<number> {
  const workers = await Promise.all(nodes.map((node) => handsOf(node).ask.leased()));
  return nodes.reduce((sum, { host }) => sum + host.transport.leased, 0) + workers.reduce((sum, each) => sum + each, 0);
}

test('a worker feeds a worker and the main thread of another node, bit for bit and in order', async () => {
  const [a] = await pair();
  for (const sink of ['b.worker-0/sink', 'b/sink']) {
    const to = a.system.ref(sinkProtocol, sink);
    expect(await handsOf(a).ask.feed({ to, bytes: SIZES })).toEqual(digests(SIZES));
  }
  expect([await leased(), a.log, nodes[1].log]).toEqual([0, [], []]);
});

test('tensors come back from a worker of another node, whatever their size', async () => {
  const [a] = await pair();
  const sink = a.system.ref(sinkProtocol, 'b.worker-0/sink');
  for (const [seed, bytes] of SIZES.entries()) {
    const x = tensorOf(bytes, seed);
    expect(digestOf(await sink.ask.echo({ x }))).toBe(digestOf(x));
  }
  expect(await leased()).toBe(0);
});

test('two nodes feed each other at once', async () => {
  const [a, b] = await pair();
  const bytes = Array.from({ length: 40 }, (_, i) => 16 * KIB * (i % 20));
  const seen = await Promise.all([
    handsOf(a).ask.feed({ to: a.system.ref(sinkProtocol, 'b.worker-0/sink'), bytes }),
    handsOf(b).ask.feed({ to: b.system.ref(sinkProtocol, 'a.worker-0/sink'), bytes }),
  ]);
  expect(seen).toEqual([digests(bytes), digests(bytes)]);
  expect(await leased()).toBe(0);
});

test('small messages and tensors for a thread of another node stay in order', async () => {
  const [a] = await pair();
  const sink = a.system.ref(sinkProtocol, 'b.worker-0/sink');
  const expected: string[] = [];
  for (let n = 0; n < 60; n++) {
    sink.tell.mark({ n });
    sink.tell.put({ x: tensorOf(8 * KIB * n, n) });
    expected.push(`mark ${n}`, digestOf(tensorOf(8 * KIB * n, n)));
  }
  expect(await sink.ask.seen()).toEqual(expected);
});

test('when the slots of the main thread run out, what comes for a worker passes through ordinary memory', async () => {
  const [a, b] = await pair({ slots: [{ bytes: 1024 * KIB, count: 1 }] });
  const sink = a.system.ref(sinkProtocol, 'b.worker-0/sink');
  const sizes = [100, 300, 500, 700, 900].map((kib) => kib * KIB);
  await sink.ask.keep();
  sizes.forEach((bytes, seed) => sink.tell.put({ x: tensorOf(bytes, seed) }));
  expect(await sink.ask.seen()).toEqual(digests(sizes));
  expect([b.host.transport.pool.overflows, b.host.transport.pool.leased]).toEqual([4, 5]);
  await sink.ask.letGo();
  expect(await leased()).toBe(0);
});

test('what fits no slot reaches an actor of the main thread all the same', async () => {
  const [a] = await pair({ slots: [{ bytes: 4 * KIB, count: 4 }] });
  const sink = a.system.ref(sinkProtocol, 'b/sink');
  const sizes = [100 * KIB, 1500 * KIB];
  sizes.forEach((bytes, seed) => sink.tell.put({ x: tensorOf(bytes, seed) }));
  expect(await sink.ask.seen()).toEqual(digests(sizes));
  expect(await leased()).toBe(0);
});

test('an actor that no thread of the other node has is refused, whoever asks', async () => {
  const [a] = await pair();
  const nobody = a.system.ref(sinkProtocol, 'b.worker-0/nobody');
  const error = { tag: 'NoSuchActor', message: expect.stringContaining('b.worker-0/nobody') as string };
  await expect(nobody.ask.seen()).rejects.toMatchObject(error);
  await expect(
    handsOf(a).ask.feed({ to: a.system.ref(sinkProtocol, 'b.worker-0/hands'), bytes: [64] }),
  ).rejects.toThrow("has no ask 'seen'");
});
