import { afterEach, expect, test } from 'vitest';
import {
  ActorSystem,
  HeapFramePool,
  seatThreads,
  ThreadTransport,
  type ThreadMeshOptions,
} from '../../../src/runtime/index.ts';
import { Outgoing } from '../../../src/runtime/system/outgoing.ts';
import { routeFrom } from '../../../src/runtime/system/speaker.ts';
import { Codec, type Encoded } from '../../../src/runtime/transport/codec.ts';
import { Counter, counterProtocol } from '../counter.ts';

/** Threads' transports, all on this one thread, so that nothing arrives before the test lets the event loop turn. */
const opened: ThreadTransport[] = [];
const log: string[] = [];
function open(
  names: readonly string[],
  options: ThreadMeshOptions = {},
): { transports: ThreadTransport[]; systems: ActorSystem[] } {
  const transports = seatThreads(names, options).map((seat) => new ThreadTransport(seat));
  opened.push(...transports);
  return {
    transports,
    systems: transports.map(
      (transport) => new ActorSystem({ name: transport.name, transport, logSink: ({ text }) => void log.push(text) }),
    ),
  };
}
afterEach(() => {
  log.length = 0;
  for (const transport of opened.splice(0)) transport.close();
});

test('an actor is found by who learns of it before its announcement was read', () => {
  const [a, b] = open(['a', 'b']).systems;
  b.spawn(counterProtocol, 'b/counter', () => new Counter());
  a.ref(counterProtocol, 'b/counter').tell.add({ n: 1 });
  a.ref(counterProtocol, 'b/nobody').tell.add({ n: 1 });
  expect([a.counters.sent, a.counters.deadLetters]).toEqual([2, 1]);
  expect(a.counters.bytesSent).toBeGreaterThan(64);
});

test('what was sent is taken in by a poll, and only once', async () => {
  const { systems, transports } = open(['a', 'b']);
  systems[1].spawn(counterProtocol, 'b/counter', () => new Counter());
  const ref = systems[0].ref(counterProtocol, 'b/counter');
  ref.tell.add({ n: 2 });
  ref.tell.bulk({ n: 3 });
  expect(systems[1].mailboxDepth('b/counter')).toBe(0);
  transports[1].poll();
  expect(systems[1].mailboxDepth('b/counter')).toBe(2);
  expect(await ref.ask.get()).toBe(2);
  await systems[1].idle();
  expect(await ref.ask.get()).toBe(5);
});

test('a message whose sender lives on another thread than it came from is refused, counted, and reported once', async () => {
  const { systems, transports } = open(['a', 'b', 'c'], { placement: new Map([['run/twin', 'b']]) });
  const counter = systems[0].spawn(counterProtocol, 'a/counter', () => new Counter());
  const codec = new Codec(new HeapFramePool());
  const sent = (from: string, n: number): Encoded => {
    const route = routeFrom({ address: from, incarnation: 1 }, 'a/counter', 'add', 'tell', 'control', true);
    return codec.encode(Object.assign(new Outgoing(), { route, args: { n } }), true);
  };
  transports[0].poll();
  for (const from of ['run/twin', 'run/twin', '@a', '@c', 'run/ended'])
    transports[2].relay('a/counter', sent(from, 10));
  transports[1].relay('a/counter', sent('run/twin', 1));
  transports[0].poll();
  expect(await counter.ask.get()).toBe(21);
  expect(transports[0].misattributed).toBe(3);
  expect(log).toEqual([
    "thread c: 'add' for a/counter says that it is from run/twin by lane control, and came by lane control; refused, as all " +
      'from there that others sent: see who else has the token of the cluster',
  ]);
});

test('when a thread closes, asks of others to its actors are refused', async () => {
  const { systems, transports } = open(['a', 'b', 'c']);
  systems[1].spawn(counterProtocol, 'b/counter', () => new Counter());
  const answers = [systems[0], systems[2]].map((system) =>
    system
      .ref(counterProtocol, 'b/counter')
      .ask.later({ key: 'k' })
      .catch((error: unknown) => error),
  );
  transports[1].close();
  expect(await Promise.all(answers)).toMatchObject([{ tag: 'NoSuchActor' }, { tag: 'NoSuchActor' }]);
});

test('a thread has one system, and a placement names only threads that are there', () => {
  const [transport] = open(['a', 'b']).transports;
  expect(() => new ActorSystem({ name: 'again', transport })).toThrow('a: has had a system; start one a thread');
  expect(() => seatThreads(['a', 'b'], { placement: new Map([['run/x', 'c']]) })).toThrow(
    "placement on 'c', which is none of the threads a, b",
  );
});
