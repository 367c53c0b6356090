import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineProtocol, tell, type Context } from '../../../src/runtime/index.ts';
import { createTestSystem } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';

test('control overtakes data that was sent before it', async () => {
  const { system } = createTestSystem();
  const counter = new Counter();
  const ref = system.spawn(counterProtocol, 'counter', () => counter);
  ref.tell.bulk({ n: 1 });
  ref.tell.bulk({ n: 2 });
  ref.tell.add({ n: 3 });
  await system.idle();
  expect(counter.seen).toEqual(['add 3', 'bulk 1', 'bulk 2']);
  await system.stop();
});

const floodProtocol = defineProtocol('flood', { send: tell({ args: z.object({ messages: z.number() }) }) });

test('a sender that overfills a data lane fails, the receiver handles what fitted', async () => {
  const { system, log } = createTestSystem();
  const counter = new Counter();
  system.spawn(counterProtocol, 'counter', () => counter, { dataCapacity: 4 });
  const send = ({ messages }: { messages: number }, ctx: Context) => {
    for (let n = 0; n < messages; n++) ctx.ref(counterProtocol, 'counter').tell.bulk({ n });
  };
  const flood = system.spawn(floodProtocol, 'flood', () => ({ send }), { restart: 'temporary' });
  flood.tell.send({ messages: 6 });
  await system.idle();
  expect(counter.seen).toEqual(['bulk 0', 'bulk 1', 'bulk 2', 'bulk 3']);
  expect(system.counters).toMatchObject({ mailboxFull: 2, failures: 1 });
  expect(log.filter(({ level }) => level === 'error')).toEqual([
    {
      level: 'error',
      address: 'flood',
      text: "failed: counter: mailbox full at 4 data messages, 'bulk' not taken; send within credits",
      fields: {},
    },
  ]);
  await system.stop();
});

test('control is taken however full the data lane is', async () => {
  const { system } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter(), { dataCapacity: 1 });
  for (let n = 0; n < 100; n++) ref.tell.add({ n: 1 });
  ref.tell.bulk({ n: 1000 });
  const sum = ref.ask.get();
  expect(system.mailboxDepth('counter')).toBe(102);
  expect(await sum).toBe(100);
  await system.idle();
  expect(system.counters.mailboxFull).toBe(0);
  await system.stop();
});

test('data of a higher parameter version waits for it, in order, and older data is refused', async () => {
  const { system } = createTestSystem();
  const counter = new Counter();
  const ref = system.spawn(counterProtocol, 'counter', () => counter);
  const sender = defineProtocol('versioned-sender', {
    send: tell({ args: z.object({ version: z.number(), n: z.number() }) }),
  });
  const from = system.spawn(sender, 'sender', () => ({
    send({ version, n }, ctx) {
      ctx.setParamsVersion(version);
      ctx.ref(counterProtocol, 'counter').tell.bulk({ n });
      ctx.ref(counterProtocol, 'counter').tell.add({ n: n + 100 });
    },
  }));
  ref.tell.version({ version: 1 });
  await system.idle();
  from.tell.send({ version: 2, n: 1 });
  from.tell.send({ version: 1, n: 2 });
  from.tell.send({ version: 2, n: 3 });
  from.tell.send({ version: 0, n: 4 });
  await system.idle();
  expect(counter.seen).toEqual(['add 101', 'add 102', 'add 103', 'add 104', 'bulk 2']);
  expect(system.counters).toMatchObject({ parked: 2, refusedStaleParams: 1 });
  expect(system.mailboxDepth('counter')).toBe(2);
  ref.tell.version({ version: 2 });
  await system.idle();
  expect(counter.seen.slice(5)).toEqual(['bulk 1', 'bulk 3']);
  await system.stop();
});

test('parked data counts against the capacity of the lane', async () => {
  const { system } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter(), { dataCapacity: 2 });
  ref.tell.version({ version: 1 });
  const flood = system.spawn(
    floodProtocol,
    'flood',
    (scope) => {
      scope.setParamsVersion(2);
      const counter = scope.ref(counterProtocol, 'counter');
      return { send: ({ messages }) => Array.from({ length: messages }).forEach(() => counter.tell.bulk({ n: 1 })) };
    },
    { restart: 'temporary' },
  );
  flood.tell.send({ messages: 2 });
  await system.idle();
  expect(system.counters).toMatchObject({ parked: 2, mailboxFull: 0 });
  flood.tell.send({ messages: 1 });
  await system.idle();
  expect(system.counters).toMatchObject({ parked: 2, mailboxFull: 1 });
  await system.stop();
});
