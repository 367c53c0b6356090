// @module-tag nats-server
import { connect, type NatsConnection as NatsClient } from 'nats';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { mix } from '../../../src/runtime/testing/random.ts';
import {
  ChunkField,
  ChunkKind,
  readChunk,
  runNumber,
  sealChunk,
  type Chunk,
} from '../../../src/runtime/transport/link_chunk.ts';
import { LinkCounters } from '../../../src/runtime/transport/link_counters.ts';
import { FaultPair } from './fault_pair.ts';
import { DAMAGES } from './link_damage.ts';
import type { TestNode } from './nats_kit.ts';
import { tensor } from './sink.ts';

const RUN = runNumber('run-1');
const GEN = 3;
const MAX_FRAME_BYTES = 100_000;
/** What strangers imitate: subjects of what `b` gets from `a`, and of what `a` gets back. */
const SUBJECTS = {
  data: 'troupe.test.v1.data.b.a',
  control: 'troupe.test.v1.control.b.a',
  ack: 'troupe.test.v1.ack.a.b',
} as const;
type Lane = keyof typeof SUBJECTS;

let server: NatsServer;
let listener: NatsClient;
let pair: FaultPair;
/** The last chunk that was sent on each lane. */
let samples: Record<Lane, Chunk>;

beforeAll(async () => {
  server = await NatsServer.start();
  const { url: servers, token = '' } = server.address;
  listener = await connect({ servers, token });
});

afterAll(async () => {
  await listener.close();
  await server.close();
});

/** Two nodes in the middle of their work, with nothing under way. */
beforeEach(async () => {
  const limits = { tailMs: Infinity, maxFrameBytes: MAX_FRAME_BYTES, maxPartialBytes: MAX_FRAME_BYTES, stallMs: 200 };
  pair = await FaultPair.open(server, { limits });
  const seen = new Map<string, Chunk>();
  const subscription = listener.subscribe('troupe.test.v1.*.*.*', {
    callback: (_error, { subject, data }) => {
      const chunk = readChunk(data.slice(), RUN, new LinkCounters());
      if (chunk !== null) seen.set(subject, chunk);
    },
  });
  await listener.flush();
  pair.enter(GEN);
  pair.put([tensor(100, 1), tensor(100, 2)]);
  await pair.toSink.ask.await({ count: 2 });
  await pair.settle();
  await listener.flush();
  subscription.unsubscribe();
  const sample = (lane: Lane): Chunk => {
    const chunk = seen.get(SUBJECTS[lane]);
    if (chunk === undefined) throw new RangeError(`nothing was sent on ${lane}`);
    return chunk;
  };
  samples = { data: sample('data'), control: sample('control'), ack: sample('ack') };
});

/** Whatever strangers did, the nodes go on with their work, and no memory is held. */
afterEach(async () => {
  const { a, b, sink, toSink } = pair;
  const done = sink.seen.length;
  // As large as all incomplete frames together may be.
  const expected = pair.put([tensor(24_000, 3), tensor(1, 4)], 100);
  await toSink.ask.await({ count: done + 2 });
  await pair.settle();
  expect([sink.seen.slice(done), pair.leased]).toEqual([expected, [0, 0]]);
  expect([a.broken, b.broken.filter(({ from }) => from === 'a')]).toEqual([[], []]);
  await pair.close();
});

type Forged = Partial<Chunk> & { readonly run?: number };

/** A chunk of which some fields are other than those of `sample`, with a checksum that fits. */
function forge(sample: Chunk, changed: Forged = {}): Buffer {
  const { run = RUN, payload, incarnation, ...fields } = { ...sample, ...changed };
  const bytes = Buffer.alloc(ChunkField.bytes + payload.length);
  bytes.set(payload, ChunkField.bytes);
  sealChunk(bytes, { run, incarnation }, fields);
  return bytes;
}

/** Publishes as a stranger; returns what has changed in the counters of link and system of `node`, nothing else. */
async function strange(node: TestNode, subject: string, payloads: readonly Uint8Array[]) {
  const before = numbers(node);
  await pair.proxy.inject(subject, ...payloads);
  await pair.settle();
  const changes = [...numbers(node)].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  const changed = new Map(changes.filter(([, count]) => count !== 0));
  expect(changed.get('bytesReceived')).toBe(payloads.reduce((sum, { length }) => sum + length, 0));
  changed.delete('bytesReceived');
  return Object.fromEntries(changed);
}

/** All counters of a node: those of its links by name, those of its system as `system NAME`. */
function numbers({ system, transport }: TestNode): Map<string, number> {
  const links = new Map<string, number>(Object.entries(transport.counters));
  for (const [name, count] of Object.entries(system.counters)) links.set(`system ${name}`, Number(count));
  return links;
}

const toNode = (lane: Lane): TestNode => (lane === 'ack' ? pair.a : pair.b);

const STRANGERS: readonly (readonly [string, Lane, keyof LinkCounters, (sample: Chunk) => Forged])[] = [
  ['a frame of a lower gen', 'data', 'stale', ({ gen, sequence }) => ({ gen: gen - 1, sequence: sequence + 1 })],
  ['a frame of a gen that nobody has entered', 'data', 'early', ({ gen }) => ({ gen: gen + 1, sequence: 0 })],
  ['a frame of a gen of which nobody will hear', 'data', 'early', () => ({ gen: 2 ** 32 - 1, sequence: 0 })],
  ['a frame of a former life', 'data', 'stale', (s) => ({ incarnation: s.incarnation - 1, sequence: s.sequence + 1 })],
  ['a frame of a former life', 'control', 'stale', (s) => ({ incarnation: s.incarnation - 1 })],
  ['a frame of a namesake', 'data', 'foreign', (s) => ({ incarnation: s.incarnation + 1, sequence: s.sequence + 1 })],
  ['a frame of another run', 'data', 'foreign', ({ sequence }) => ({ run: RUN + 1, sequence: sequence + 1 })],
  ['a frame of another run', 'control', 'foreign', ({ sequence }) => ({ run: RUN + 1, sequence: sequence + 1 })],
  ['an acknowledgement of another run', 'ack', 'foreign', () => ({ run: RUN + 1 })],
  ['a frame that was sent before', 'data', 'duplicates', () => ({})],
  ['a frame that was sent before', 'control', 'duplicates', () => ({})],
  ['a frame of a sender who was told of more than came', 'control', 'malformed', () => ({ base: 1e9 })],
  ['a frame far ahead', 'control', 'beyondWindow', ({ sequence }) => ({ sequence: sequence + 1_000 })],
  ['an acknowledgement for another life', 'ack', 'stale', ({ base }) => ({ base: base - 1 })],
  ['an acknowledgement of what was not sent', 'ack', 'malformed', ({ sequence }) => ({ sequence: sequence + 1 })],
  ['an acknowledgement', 'data', 'malformed', ({ sequence }) => bare('acknowledge', sequence + 1)],
  ['an acknowledgement', 'control', 'malformed', ({ sequence }) => bare('acknowledge', sequence + 1)],
  ['a tail', 'control', 'malformed', ({ sequence }) => bare('tail', sequence + 1)],
];

const bare = (kind: keyof typeof ChunkKind, sequence: number): Forged => ({
  kind: ChunkKind[kind],
  sequence,
  frameBytes: 0,
  offset: 0,
  payload: new Uint8Array(),
});

test.each(STRANGERS)('%s on %s is counted as %s, and nothing else happens', async (_, lane, counter, changed) => {
  const sample = samples[lane];
  const forged = forge(sample, changed(sample));
  expect(await strange(toNode(lane), SUBJECTS[lane], [forged, forged])).toEqual({ [counter]: 2 });
});

const random = (seed: number, bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_, i) => mix(seed, i) & 255));

test.each<Lane>(['data', 'control'])(
  'damaged chunks on %s are counted by kind, and nothing else happens',
  async (lane) => {
    // Control knows no gens.
    const damages = DAMAGES.filter(([counter]) => lane === 'data' || counter !== 'stale');
    const expected: Record<string, number> = {};
    const good = forge(samples[lane], { sequence: samples[lane].sequence + 1 });
    const chunks = Array.from({ length: 3_000 }, (_, seed) => {
      const [counter, damage] = damages[mix(seed, 1) % damages.length];
      expected[counter] = (expected[counter] ?? 0) + 1;
      return damage(Buffer.from(good), mix(seed, 2));
    });
    expect(await strange(pair.b, SUBJECTS[lane], chunks)).toEqual(expected);
  },
);

test.each<Lane>(['data', 'control', 'ack'])('noise on %s, and cut chunks, are counted, no more', async (lane) => {
  const noise = Array.from({ length: 1_000 }, (_, seed) => random(seed, mix(seed) % 300));
  const start = Buffer.from([0x54, 0x4c, 2]);
  const disguised = noise.map((bytes) => Buffer.concat([start, bytes, random(1, ChunkField.bytes)]));
  const good = forge(samples[lane]);
  const cut = Array.from({ length: good.length }, (_, bytes) => good.subarray(0, bytes));
  const short = cut.filter(({ length }) => length < ChunkField.bytes).length;
  expect(await strange(toNode(lane), SUBJECTS[lane], [...noise, ...disguised, ...cut])).toEqual({
    malformed: noise.length + short,
    corrupt: disguised.length + cut.length - short,
  });
});

const STRANGE_DATA = 'troupe.test.v1.data.b.stranger';

test('a frame beyond the limit is refused before memory is asked for, and only its own link breaks', async () => {
  const frame = (sequence: number): Buffer =>
    forge(samples.data, { sequence, frameBytes: MAX_FRAME_BYTES + 1, payload: random(1, 1_000) });
  const chunks = Array.from({ length: 10 }, (_, sequence) => frame(sequence));
  expect(await strange(pair.b, STRANGE_DATA, chunks)).toEqual({ unfitting: 1, broken: 9 });
  expect(pair.b.broken.map(({ from, fault }) => [from, fault.kind])).toEqual([['stranger', 'too-large']]);
});

test('a control frame beyond the limit is done without', async () => {
  const chunks = Array.from({ length: 10 }, (_, sequence) =>
    forge(samples.control, { base: 0, sequence, frameBytes: 2 ** 32 - 1, payload: random(1, 1_000) }),
  );
  expect(await strange(pair.b, 'troupe.test.v1.control.b.stranger', chunks)).toEqual({ unfitting: 10 });
});

test('a frame that is never completed gives its memory back when it stalls', async () => {
  const broken = pair.b.next('broken');
  const fields = { sequence: 0, offset: 0, frameBytes: MAX_FRAME_BYTES, payload: random(1, 1_000) };
  await pair.proxy.inject(STRANGE_DATA, forge(samples.data, fields));
  await broken;
  expect(pair.b.broken.map(({ from, fault }) => [from, fault.kind])).toEqual([['stranger', 'stall']]);
  expect([pair.leased, pair.b.transport.counters.partial]).toEqual([[0, 0], 1]);
});

test.each<Lane>(['data', 'control'])('whole frames on %s that hold no message are refused one by one', async (lane) => {
  const subject = `troupe.test.v1.${lane}.b.stranger`;
  const chunks = Array.from({ length: 1_000 }, (_, sequence) => {
    // Noise, noise that starts like a message, and a message that was cut.
    const noise = random(sequence, 1 + (mix(sequence) % 300));
    const { payload: message } = samples[lane];
    const cut = message.subarray(0, 1 + (sequence % (message.length - 1)));
    const payload = [noise, Buffer.concat([message.subarray(0, 4), noise]), cut][sequence % 3];
    return forge(samples[lane], { base: 0, offset: 0, sequence, frameBytes: payload.length, payload });
  });
  // Of some messages that were cut the route is whole, and says that they are from `a`: the first of them is reported.
  const { misattributed, ...refused } = await strange(pair.b, subject, chunks);
  expect(misattributed).toBeGreaterThan(0);
  expect(refused).toEqual({ framesReceived: 1_000, 'system malformed': 1_001 - misattributed });
  expect(pair.b.broken).toEqual([]);
});
