import { expect, test } from 'vitest';
import { ask, defineProtocol, tell } from '../../../src/runtime/index.ts';
import { LocalTransport } from '../../../src/runtime/transport/local.ts';
import { ActorSystem } from '../../../src/runtime/system/system.ts';
import { createTestSystem, Probe, VirtualClock } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';

test('messages of a former gen are dropped, even when they were already in the mailbox', async () => {
  const { system } = createTestSystem();
  const counter = new Counter();
  const ref = system.spawn(counterProtocol, 'counter', () => counter);
  ref.tell.add({ n: 1 });
  system.enter(1);
  ref.tell.add({ n: 2 });
  await system.idle();
  expect(counter.seen).toEqual(['add 2']);
  expect(system.counters).toMatchObject({ droppedStale: 1, delivered: 1 });
  expect(() => system.enter(0)).toThrow("local: 'enter' of gen 0 in gen 1; enter the gen, then ask again");
  await system.stop();
});

test('asks of a former gen fail when the gen ends', async () => {
  const { system } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  const answer = ref.ask.later({ key: 'x' });
  await system.idle();
  system.enter(7);
  await expect(answer).rejects.toMatchObject({ tag: 'WrongGen' });
  ref.tell.release({ key: 'x' });
  await system.idle();
  expect(system.counters.droppedStale).toBe(1);
  await system.stop();
});

test('a handler that outlives its gen speaks to nobody', async () => {
  const { system, clock } = createTestSystem();
  const probe = new Probe(system, counterProtocol, 'probe');
  let wake: () => void = () => undefined;
  const sleeper = defineProtocol('sleeper', { nap: tell() });
  const ref = system.spawn(sleeper, 'sleeper', () => ({
    async nap(_, ctx) {
      await new Promise<void>((resolve) => (wake = resolve));
      ctx.ref(counterProtocol, 'probe').tell.add({ n: 1 });
    },
  }));
  ref.tell.nap();
  await clock.settle();
  system.enter(1);
  wake();
  await clock.settle();
  expect(probe.messages).toEqual([]);
  expect(system.counters.droppedStale).toBe(1);
  await system.stop();
});

test('a handler that outlives its gen fails at once when it asks, and its actor lives on as it was', async () => {
  const { system, clock } = createTestSystem();
  system.spawn(counterProtocol, 'counter', () => new Counter());
  let wake: () => void = () => undefined;
  const writer = defineProtocol('gen-writer', { write: ask(), lives: ask() });
  let lives = 0;
  const ref = system.spawn(writer, 'writer', (scope) => {
    lives += 1;
    return {
      async write() {
        await new Promise<void>((resolve) => (wake = resolve));
        await scope.ref(counterProtocol, 'counter').ask.later({ key: 'x' });
      },
      lives: () => undefined,
    };
  });
  const first = expect(ref.ask.write()).rejects.toMatchObject({ tag: 'WrongGen' });
  await clock.settle();
  system.enter(1);
  await first;
  const again = ref.ask.lives();
  wake();
  await again;
  expect([lives, system.counters.droppedStale]).toEqual([1, 0]);
  await system.stop();
});

test('a message of a gen not yet entered is refused, one that is not fenced passes', async () => {
  const clock = new VirtualClock();
  const transport = new LocalTransport();
  const logSink = () => undefined;
  const [ahead, behind] = ['ahead', 'behind'].map((name) => new ActorSystem({ name, transport, clock, logSink }));
  ahead.enter(2);
  const gate = defineProtocol('gen-gate', { work: ask(), enter: ask({ fenced: false }) });
  behind.spawn(gate, 'gate', () => ({ work: () => undefined, enter: () => behind.enter(2) }));
  const ref = ahead.ref(gate, 'gate');
  const early = ref.ask.work(undefined, { timeoutMs: 50 });
  const refused = expect(early).rejects.toMatchObject({ tag: 'AskTimeout' });
  await clock.advance(50);
  await refused;
  // The refusal itself is of the lower gen, so that the asker drops it.
  expect([behind.counters.refusedAhead, ahead.counters.droppedStale]).toEqual([1, 1]);
  await ref.ask.enter();
  await ref.ask.work();
  expect(behind.gen).toBe(2);
  await ahead.stop();
  await behind.stop();
});
