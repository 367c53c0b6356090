import { expect, test } from 'vitest';
import { createTestSystem, Probe, VirtualClock } from '../../../src/runtime/testing/index.ts';
import { counterProtocol } from '../counter.ts';

test('timers fire in order of time, then of setting, and only as far as time is moved', async () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  for (const [name, ms] of [
    ['b', 20],
    ['a', 10],
    ['c', 20],
    ['d', 21],
  ] as const) {
    clock.after(ms, () => fired.push(`${name} at ${clock.now()}`));
  }
  clock.after(15, () => fired.push('never')).cancel();
  await clock.advance(20);
  expect(fired).toEqual(['a at 10', 'b at 20', 'c at 20']);
  expect([clock.now(), clock.pending]).toEqual([20, 1]);
  expect(clock.wallMs()).toBe(Date.UTC(2000, 0, 1) + 20);
});

test('a timer set by a timer fires within the same advance', async () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  clock.after(5, () => clock.after(5, () => at.push(clock.now())));
  await clock.advance(10);
  expect(at).toEqual([10]);
});

test('time waits for a native call that is outstanding', async () => {
  const clock = new VirtualClock();
  const events: string[] = [];
  clock.after(10, () => events.push('timer'));
  clock.beginNative();
  const advanced = clock.advance(10).then(() => events.push('advanced'));
  await new Promise((resolve) => setImmediate(resolve));
  events.push('native ends');
  clock.endNative();
  await advanced;
  expect(events).toEqual(['native ends', 'timer', 'advanced']);
  expect(() => clock.endNative()).toThrow('virtual clock: endNative without beginNative; pair the calls');
});

test('nothing is settled before what promises do once the last native call has ended', async () => {
  const clock = new VirtualClock();
  const events: string[] = [];
  clock.beginNative();
  const settled = clock.settle().then(() => events.push('settled'));
  await new Promise((resolve) => setImmediate(resolve));
  clock.endNative();
  for (let i = 0; i < 10; i++) await Promise.resolve();
  events.push('promises are through');
  await settled;
  expect(events).toEqual(['promises are through', 'settled']);
});

test('time waits for messages to be handled', async () => {
  const { system, clock } = createTestSystem();
  const probe = new Probe(system, counterProtocol, 'probe');
  clock.after(10, () => probe.ref.tell.add({ n: clock.now() }));
  clock.after(11, () => probe.ref.tell.add({ n: clock.now() + probe.received.length }));
  await clock.advance(11);
  expect(probe.received.map(({ args }) => args)).toEqual([{ n: 10 }, { n: 12 }]);
  await system.stop();
});

test('a probe hands out messages in order, to those who came before them too, and answers as told', async () => {
  const { system } = createTestSystem();
  const probe = new Probe(system, counterProtocol, 'probe', { answers: { get: () => 42 } });
  const first = probe.next();
  expect(await probe.ref.ask.get()).toBe(42);
  probe.ref.tell.add({ n: 1 });
  expect((await first).message).toBe('get');
  expect((await probe.next()).args).toEqual({ n: 1 });
  expect(probe.messages).toEqual(['get', 'add']);
  await system.stop();
});
