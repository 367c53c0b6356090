import { expect, test } from 'vitest';
import { matcher } from '../../../src/runtime/index.ts';
import { Deadlines, type Deadline } from '../../../src/runtime/system/deadlines.ts';
import { FLIGHT_LENGTH, FlightRecord } from '../../../src/runtime/system/flight_record.ts';
import { Queue } from '../../../src/runtime/system/queue.ts';
import { createTestSystem, mix, VirtualClock } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';

test('the flight record keeps the last messages, oldest first', () => {
  const record = new FlightRecord();
  for (let id = 1; id <= FLIGHT_LENGTH + 2; id++) record.note('a', 'm', id, 10 * id);
  const entries = record.entries();
  expect(entries).toHaveLength(FLIGHT_LENGTH);
  expect(entries[0]).toEqual({ address: 'a', message: 'm', id: 3, ms: 30 });
  expect(entries.at(-1)).toEqual({ address: 'a', message: 'm', id: 258, ms: 2580 });
});

test('a system records what its actors handled', async () => {
  const { system, clock } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  await clock.advance(12);
  ref.tell.add({ n: 1 });
  await ref.ask.get();
  expect(system.flightRecord().map(({ address, message, ms }) => [address, message, ms])).toEqual([
    ['counter', 'add', 12],
    ['counter', 'get', 12],
  ]);
  await system.stop();
});

test('address patterns match within a segment and, doubled, across segments', () => {
  const isExpert = matcher(['run/expert-*', 'node/**']);
  const addresses = ['run/expert-1', 'run/expert-', 'run/expert-1/x', 'run/router', 'node/a/b', 'node', 'run/expert.1'];
  expect(addresses.filter(isExpert)).toEqual(['run/expert-1', 'run/expert-', 'node/a/b']);
  expect(matcher(['a.c'])('abc')).toBe(false);
});

test('deadlines expire in order, those met do not, however many there are', async () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const expired: number[] = [];
  const all = Array.from({ length: 5000 }, (_, i): Deadline => {
    const dueMs = mix(i) % 10_000;
    return { dueMs, met: false, expire: () => expired.push(dueMs) };
  });
  for (const deadline of all) deadlines.add(deadline);
  const isMet = (_: Deadline, i: number) => i % 4 !== 0;
  for (const deadline of all.filter(isMet)) deadlines.meet(deadline);
  await clock.advance(10_000);
  const expected = all.filter((d, i) => !isMet(d, i)).map(({ dueMs }) => dueMs);
  expect(expired).toEqual(expected.sort((a, b) => a - b));
  expect(clock.pending).toBe(0);
});

test('a queue keeps order while it grows and wraps, and takes items back in front', () => {
  const queue = new Queue<number>();
  const out: (number | undefined)[] = [];
  for (let i = 0; i < 40; i++) {
    queue.push(2 * i);
    queue.push(2 * i + 1);
    out.push(queue.shift());
  }
  queue.unshift(-1);
  expect(queue.length).toBe(41);
  while (queue.length > 0) out.push(queue.shift());
  expect(out).toEqual([
    ...Array.from({ length: 40 }, (_, i) => i),
    -1,
    ...Array.from({ length: 40 }, (_, i) => i + 40),
  ]);
  expect(queue.shift()).toBe(undefined);
});
