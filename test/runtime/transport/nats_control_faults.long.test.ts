// @module-tag nats-server
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { FaultPair } from './fault_pair.ts';
import { digest, tensor } from './sink.ts';
import type { WireFault, WireRule } from './wire_plan.ts';

let server: NatsServer;
let pair: FaultPair;

beforeAll(async () => {
  server = await NatsServer.start();
});

afterEach(() => pair.close());

afterAll(() => server.close());

const LANES = ['control', 'ack'];
const NODES = ['b.a', 'a.b'];
const DIRECTIONS = ['client', 'server'] as const;

/** A rule for each lane, link and direction. */
const often = (fault: WireFault, probability: number): WireRule[] =>
  LANES.flatMap((lane) =>
    NODES.flatMap((nodes) =>
      DIRECTIONS.map((towards) => {
        const subject = `troupe.test.v1.${lane}.${nodes}`;
        return { subject, towards, fault, probability, times: Infinity };
      }),
    ),
  );

const FAULTS: readonly WireFault[] = [
  { kind: 'drop' },
  { kind: 'corrupt' },
  { kind: 'duplicate', copies: 2 },
  { kind: 'delay', ms: 150, messages: 6 },
  { kind: 'delay', ms: 30 },
  { kind: 'reorder', ms: 30 },
];
const MESSAGES = 150;

test.each([1, 2, 3])(
  'whatever happens to control, tells are handled once and in order, and asks answered once, seed %i',
  async (seed) => {
    const rules = FAULTS.flatMap((fault) => often(fault, 0.04));
    pair = await FaultPair.open(server, { rules, seed, limits: { retryMs: 100, windowChunks: 32 } });
    const { proxy, a, b, toCounter, counter } = pair;
    const [here, there] = [new Counter(), counter];
    a.system.spawn(counterProtocol, 'a/counter', () => here);
    const toHere = b.system.ref(counterProtocol, 'a/counter');
    const answers: Promise<number>[] = [];
    for (let n = 1; n <= MESSAGES; n++) {
      for (const ref of [toCounter, toHere]) {
        ref.tell.add({ n });
        answers.push(ref.ask.get(undefined, { timeoutMs: 60_000 }));
      }
    }
    // Each ask sees all tells before it, and none after.
    const sums = Array.from({ length: MESSAGES }, (_, i) => ((i + 1) * (i + 2)) / 2);
    expect(await Promise.all(answers)).toEqual(sums.flatMap((sum) => [sum, sum]));
    const tells = Array.from({ length: MESSAGES }, (_, i) => `add ${i + 1}`);
    expect([here.seen, there.seen]).toEqual([tells, tells]);
    await pair.settle();
    for (const { system, transport } of [a, b]) {
      expect(system.counters).toMatchObject({ delivered: 2 * MESSAGES, lateReplies: 0, deadLetters: 0, malformed: 0 });
      // Tells and asks of the other, and its answers.
      expect(transport.counters).toMatchObject({ framesReceived: 3 * MESSAGES, unsent: 0, partial: 0 });
      expect(transport.counters.resent).toBeGreaterThan(0);
    }
    for (const { kind } of FAULTS) expect(proxy.counter.of(kind)).toBeGreaterThan(20);
    expect([pair.broken, pair.leased]).toEqual([
      [[], []],
      [0, 0],
    ]);
  },
);

test('a control message of many parts, each of which may be lost, arrives whole', async () => {
  const rules = FAULTS.flatMap((fault) => often(fault, 0.04));
  pair = await FaultPair.open(server, { rules, limits: { retryMs: 100, chunkBytes: 1_000, windowChunks: 16 } });
  const x = tensor(20_000, 1);
  expect(digest(await pair.toSink.ask.echo({ x }, { timeoutMs: 60_000 }))).toBe(digest(x));
  await pair.settle();
  expect([pair.broken, pair.leased]).toEqual([
    [[], []],
    [0, 0],
  ]);
  expect(pair.proxy.counter.of('drop')).toBeGreaterThan(0);
});

test('an acknowledgement that never comes costs repeats, and nothing else', async () => {
  const rules: WireRule[] = [{ subject: 'troupe.test.v1.ack.a.b', fault: { kind: 'drop' }, times: 5 }];
  pair = await FaultPair.open(server, { rules, limits: { retryMs: 50 } });
  const { proxy, a, b, toCounter, counter } = pair;
  toCounter.tell.add({ n: 1 });
  await proxy.counter.reached('drop', 5);
  expect(await toCounter.ask.get()).toBe(1);
  await pair.settle();
  expect([counter.seen, a.broken]).toEqual([['add 1'], []]);
  const { duplicates, framesReceived } = b.transport.counters;
  expect([framesReceived, duplicates]).toEqual([2, a.transport.counters.resent]);
});
