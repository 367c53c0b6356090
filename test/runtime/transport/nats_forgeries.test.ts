/** Frames that are not what they say: by another sender, by another lane, or an answer of one who was not asked. */
// @module-tag nats-server
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { ask, defineProtocol, HeapFramePool, type Lane } from '../../../src/runtime/index.ts';
import { ENVELOPE_VERSION, type Envelope, type Kind, type Route } from '../../../src/runtime/system/envelope.ts';
import { Codec } from '../../../src/runtime/transport/codec.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { nodesOn } from './nats_kit.ts';

let server: NatsServer;
const { node, pair, close } = nodesOn(() => server);

beforeAll(async () => {
  server = await NatsServer.start();
});

afterEach(close);

afterAll(() => server.close());

const twinProtocol = defineProtocol('twin', { pass: ask({ args: z.object({ n: z.number() }), reply: z.number() }) });

/** An envelope as it leaves a system, in gen 0. */
const envelopeOf = (kind: Kind, names: Pick<Route, 'to' | 'from' | 'message'>, lane: Lane = 'control'): Envelope => ({
  route: { v: ENVELOPE_VERSION, kind, lane, fenced: true, senderIncarnation: 1, protocol: 'counter', ...names },
  gen: 0,
  paramsVersion: null,
  id: 1,
  replyTo: 0,
  remainingMs: null,
  askChain: [],
  traceparent: null,
  args: undefined,
});

test('a frame is refused, counted and reported once where its sender lives on another node than its subject says', async () => {
  const [[a, b], c] = await Promise.all([pair(), node('c')]);
  const counter = b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  // Two actors of one name; node a is where that name belongs.
  const twins = [a, c].map(({ system }) =>
    system.spawn(twinProtocol, 'a/twin', (scope) => ({
      pass: ({ n }) => {
        scope.ref(counterProtocol, 'b/counter').tell.add({ n });
        // What c sends behind it, and what b answers: that b has got this says that it has seen all before.
        return system.ref(counterProtocol, 'b/counter').ask.get();
      },
    })),
  );
  expect(await twins[0].ask.pass({ n: 1 })).toBe(1);
  expect([await twins[1].ask.pass({ n: 10 }), await twins[1].ask.pass({ n: 20 })]).toEqual([1, 1]);
  expect(await counter.ask.get()).toBe(1);
  expect(b.transport.counters).toMatchObject({ misattributed: 2, malformed: 0 });
  expect(b.log).toEqual([
    "node c: 'add' for b/counter says that it is from a/twin by lane control, and came by lane control; refused, as all " +
      'from there that others sent: see who else has the token of the cluster',
  ]);
});

test('a frame is refused that comes by another lane than its own', async () => {
  const [a, b] = await pair();
  const counter = b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  const toCounter = a.system.ref(counterProtocol, 'b/counter');
  const bulk = { ...envelopeOf('tell', { to: 'b/counter', from: '@a', message: 'bulk' }, 'data'), args: { n: 5 } };
  const frame = new Codec(new HeapFramePool()).gather(bulk);
  a.transport.links.send('b', 'control', 0, frame);
  expect(await toCounter.ask.get()).toBe(0);
  expect(await counter.ask.get()).toBe(0);
  expect(b.transport.counters).toMatchObject({ misattributed: 1 });
});

test('an answer counts only if it is by the actor that was asked', async () => {
  const [a, b] = await pair();
  const c = await node('c');
  b.system.spawn(counterProtocol, 'b/counter', () => new Counter());
  c.system.spawn(counterProtocol, 'c/counter', () => new Counter());
  const asked = a.system.ref(counterProtocol, 'b/counter').ask.later({ key: 'k' });
  // The ids of asks are counted: whoever wants to answer the first can.
  const names = { to: '@a', from: 'c/counter', message: 'later' };
  const forged = { ...envelopeOf('reply', names), replyTo: 1, args: 'forged' };
  c.transport.links.send('a', 'control', 0, new Codec(new HeapFramePool()).gather(forged));
  await c.system
    .ref(counterProtocol, 'a/nobody')
    .ask.get()
    .catch(() => undefined);
  a.system.ref(counterProtocol, 'b/counter').tell.release({ key: 'k' });
  expect(await asked).toBe('released k');
  expect(a.system.counters).toMatchObject({ lateReplies: 1 });
});
