// @module-tag nats-server
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { mix } from '../../../src/runtime/testing/random.ts';
import type { LinkCounters } from '../../../src/runtime/transport/link_counters.ts';
import type { LinkFault } from '../../../src/runtime/transport/link_errors.ts';
import type { LinkLimits } from '../../../src/runtime/transport/link_limits.ts';
import { DATA, FaultPair, type FaultPairOptions } from './fault_pair.ts';
import { tensor } from './sink.ts';
import type { WireFault, WireRule } from './wire_plan.ts';

let server: NatsServer;
let pair: FaultPair;

beforeAll(async () => {
  server = await NatsServer.start();
});

afterEach(() => pair.close());

afterAll(() => server.close());

async function open(options: FaultPairOptions): Promise<FaultPair> {
  pair = await FaultPair.open(server, options);
  return pair;
}

/** Tensors of up to 12 KB: of one to thirteen chunks of 1,000 bytes. */
const tensors = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => tensor(mix(seed, i) % 3_000, seed + i));

const often = (fault: WireFault, probability: number): WireRule[] =>
  (['client', 'server'] as const).map((towards) => ({ subject: DATA, towards, fault, probability, times: Infinity }));

test.each([1, 2, 3])('data late, doubled and out of order within the window is put right, seed %i', async (seed) => {
  const rules = [
    ...often({ kind: 'delay', ms: 500, messages: 9 }, 0.1),
    ...often({ kind: 'reorder', ms: 500 }, 0.1),
    ...often({ kind: 'duplicate', copies: 2 }, 0.1),
  ];
  // Nothing is sent but the data, and control once: so that duplicates can be counted.
  const limits = { chunkBytes: 1_000, tailMs: Infinity, retryMs: Infinity, stallMs: 60_000 };
  const { proxy, a, b, sink, toSink } = await open({ rules, seed, limits });
  const expected = pair.put(tensors(100, seed));
  expect(await toSink.ask.await({ count: 100 }, { timeoutMs: 30_000 })).toBe(expected.join(' '));
  await pair.settle();
  expect([sink.seen, pair.broken, pair.leased]).toEqual([expected, [[], []], [0, 0]]);
  expect(a.transport.counters).toMatchObject({ framesSent: 101, unsent: 0 });
  // Two copies each; what was doubled before the server may have been doubled again behind it.
  expect(b.transport.counters.duplicates).toBe(2 * proxy.counter.of('duplicate'));
  for (const kind of ['delay', 'reorder', 'duplicate'] as const) expect(proxy.counter.of(kind)).toBeGreaterThan(50);
});

interface Break {
  /** What happens to the n-th chunk. */
  readonly fault: WireFault;
  readonly chunk: number;
  /** Of each frame; a chunk takes 238, less a header. */
  readonly floats?: number;
  readonly limits?: Partial<LinkLimits>;
  readonly found: Partial<LinkFault>;
  /** Of the receiver, after twenty frames. */
  readonly counters: Partial<LinkCounters>;
}

const BREAKS: readonly (readonly [string, Break])[] = [
  [
    'a dropped frame',
    {
      fault: { kind: 'drop' },
      chunk: 5,
      found: { kind: 'gap', expected: 5, got: 9 },
      counters: { framesReceived: 5, beyondWindow: 1, broken: 10, partial: 0 },
    },
  ],
  [
    'a corrupt frame',
    {
      fault: { kind: 'corrupt' },
      chunk: 5,
      found: { kind: 'gap', expected: 5, got: 9 },
      counters: { framesReceived: 5, corrupt: 1, beyondWindow: 1, broken: 10, partial: 0 },
    },
  ],
  [
    'a frame that comes late by more than the window',
    {
      fault: { kind: 'delay', ms: Infinity, messages: 10 },
      chunk: 5,
      found: { kind: 'gap', expected: 5, got: 9 },
      counters: { framesReceived: 5, beyondWindow: 1, broken: 11, partial: 0 },
    },
  ],
  [
    'a frame that comes in the next gen',
    {
      fault: { kind: 'delay', ms: Infinity, messages: 25 },
      chunk: 5,
      found: { kind: 'gap', expected: 5, got: 9 },
      counters: { framesReceived: 5, beyondWindow: 1, broken: 10, stale: 0 },
    },
  ],
  [
    'a dropped part of a frame',
    {
      fault: { kind: 'drop' },
      chunk: 16,
      floats: 500,
      found: { kind: 'gap', expected: 16, got: 20 },
      counters: { framesReceived: 5, beyondWindow: 1, broken: 39, partial: 1 },
    },
  ],
  [
    'a dropped last frame',
    {
      fault: { kind: 'drop' },
      chunk: 19,
      limits: { tailMs: 100, stallMs: 500 },
      found: { kind: 'stall', expected: 19 },
      counters: { framesReceived: 19, beyondWindow: 0, partial: 0 },
    },
  ],
  [
    'a corrupt last part of a frame',
    {
      fault: { kind: 'corrupt' },
      chunk: 59,
      floats: 500,
      limits: { tailMs: Infinity, stallMs: 500 },
      found: { kind: 'stall', expected: 59 },
      counters: { framesReceived: 19, corrupt: 1, partial: 1 },
    },
  ],
];

test.each(BREAKS)('%s breaks the link once, and in the next gen all goes on', async (_, each) => {
  const { fault, chunk, floats = 100, found, counters } = each;
  const rules = [{ subject: DATA, skip: chunk, fault }];
  const limits = { chunkBytes: 1_000, windowChunks: 4, tailMs: Infinity, ...each.limits };
  const { proxy, a, b, sink, toSink } = await open({ rules, limits });
  const frames = Array.from({ length: 20 }, (_, i) => tensor(floats, i));
  const broken = b.next('broken');
  const expected = pair.put(frames).slice(0, counters.framesReceived);
  await broken;
  await pair.settle();
  expect(sink.seen).toEqual(expected);
  expect([pair.broken, b.broken[0].fault]).toMatchObject([[[], [`${found.kind} 0`]], found]);
  expect(b.transport.counters).toMatchObject(counters);
  expect([pair.leased, proxy.counter.of(fault.kind)]).toEqual([[0, 0], 1]);
  pair.enter(1);
  expected.push(...pair.put(frames, 100));
  expect(await toSink.ask.await({ count: expected.length })).toBe(expected.join(' '));
  await pair.settle();
  expect([sink.seen, a.broken.length, b.broken.length, pair.leased]).toEqual([expected, 0, 1, [0, 0]]);
  // What was held back in gen 0 and came in gen 1.
  expect(b.transport.counters.stale).toBe(fault.kind === 'delay' && fault.messages === 25 ? 1 : 0);
});

test.each([1, 2, 3])('a step is run again in higher gens until all of it has come, seed %i', async (seed) => {
  const rules = [
    ...often({ kind: 'drop' }, 0.001),
    ...often({ kind: 'corrupt' }, 0.001),
    ...often({ kind: 'delay', ms: 300, messages: 20 }, 0.002),
    ...often({ kind: 'reorder', ms: 300 }, 0.02),
    ...often({ kind: 'duplicate' }, 0.02),
  ];
  const limits = { chunkBytes: 1_000, windowChunks: 16, tailMs: 100, stallMs: 400 };
  const { proxy, a, b, sink } = await open({ rules, seed, limits });
  const step = tensors(30, seed);
  let gen = 0;
  let done = 0;
  for (let steps = 0; steps < 3;) {
    const broken = b.next('broken');
    const expected = pair.put(step, gen * 100);
    const isWhole = await Promise.race([broken.then(() => false), sink.reached(done + step.length).then(() => true)]);
    await pair.settle();
    const seen = sink.seen.slice(done);
    // Whatever broke, what came is the start of what was sent.
    expect(seen).toEqual(isWhole ? expected : expected.slice(0, seen.length));
    expect(b.broken.filter((error) => error.gen === gen)).toHaveLength(isWhole ? 0 : 1);
    if (isWhole) steps += 1;
    done = sink.seen.length;
    gen += 1;
    pair.enter(gen);
  }
  await pair.settle();
  expect([a.broken, sink.seen.length, pair.leased]).toEqual([[], done, [0, 0]]);
  expect(b.broken.length).toBe(gen - 3);
  const lost = proxy.counter.of('drop') + proxy.counter.of('corrupt');
  const late = (['delay', 'reorder', 'duplicate'] as const).map((kind) => proxy.counter.of(kind));
  expect(Math.min(b.broken.length, lost, ...late)).toBeGreaterThan(0);
});
