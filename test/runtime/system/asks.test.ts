import { expect, test } from 'vitest';
import { z } from 'zod';
import { ask, defineProtocol, type Context } from '../../../src/runtime/index.ts';
import { createTestSystem, Probe } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';

test('a timeout names actor, message, time waited, mailbox depth and last message handled', async () => {
  const { system, clock } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  const answer = ref.ask.later({ key: 'x' }, { timeoutMs: 250 });
  const failed = expect(answer).rejects.toMatchObject({
    tag: 'AskTimeout',
    address: 'counter',
    asked: 'later',
    waitedMs: 250,
    mailboxDepth: 0,
    lastHandled: 'later',
    message:
      "counter: no answer to 'later' in 250 ms (mailbox depth 0, last handled 'later'); see what holds it, or raise timeoutMs",
  });
  await clock.advance(249);
  await clock.advance(1);
  await failed;
  ref.tell.release({ key: 'x' });
  await system.idle();
  expect(system.counters.lateReplies).toBe(1);
  await system.stop();
});

test('asks time out each at its own deadline, in order of deadline', async () => {
  const { system, clock } = createTestSystem();
  const probe = new Probe(system, counterProtocol, 'probe');
  const ends: string[] = [];
  for (const timeoutMs of [30, 10, 20]) {
    probe.ref.ask.get(undefined, { timeoutMs }).catch(() => ends.push(`${timeoutMs} at ${clock.now()}`));
  }
  await clock.advance(100);
  expect(ends).toEqual(['10 at 10', '20 at 20', '30 at 30']);
  await system.stop();
});

test('an ask to nobody fails at once', async () => {
  const { system } = createTestSystem();
  await expect(system.ref(counterProtocol, 'nobody').ask.get()).rejects.toMatchObject({
    tag: 'NoSuchActor',
    message: "nobody: no such actor for 'get'; it has ended, restarts, or was never started",
  });
  await system.stop();
});

const chainProtocol = defineProtocol('chain', {
  next: ask({ args: z.object({ through: z.array(z.string()) }), reply: z.array(z.string()) }),
});

/** Asks the first of `through` for the rest, and adds its own address to the answer. */
const link = {
  async next({ through }: { through: string[] }, ctx: Context): Promise<string[]> {
    const [first, ...rest] = through;
    if (first === undefined) return [ctx.address];
    return [...(await ctx.ref(chainProtocol, first).ask.next({ through: rest })), ctx.address];
  },
};

test('an ask through several actors comes back', async () => {
  const { system } = createTestSystem();
  for (const name of ['a', 'b', 'c']) system.spawn(chainProtocol, name, () => link);
  expect(await system.ref(chainProtocol, 'a').ask.next({ through: ['b', 'c'] })).toEqual(['c', 'b', 'a']);
  await system.stop();
});

test('an ask to an actor that waits for its outcome fails at once and names the circle', async () => {
  const { system } = createTestSystem();
  for (const name of ['a', 'b']) system.spawn(chainProtocol, name, () => link, { restart: 'temporary' });
  await expect(system.ref(chainProtocol, 'a').ask.next({ through: ['b', 'a'] })).rejects.toMatchObject({
    tag: 'AskCycle',
    message: "a: asking 'next' would wait for itself (a → b → a); tell instead",
  });
  await system.stop();
});

test('an asked actor that asks has no more time than its asker', async () => {
  const { system, clock } = createTestSystem();
  const probe = new Probe(system, counterProtocol, 'probe');
  const remaining: (number | null)[] = [];
  const middle = defineProtocol('middle', { work: ask() });
  system.spawn(middle, 'middle', () => ({
    async work(_, ctx) {
      remaining.push(ctx.remainingMs);
      await ctx
        .ask(probe.ref)
        .get(undefined, { timeoutMs: 10_000 })
        .catch(() => remaining.push(clock.now()));
      remaining.push(ctx.remainingMs);
    },
  }));
  const outcome = system.ref(middle, 'middle').ask.work(undefined, { timeoutMs: 40 });
  const failed = expect(outcome).rejects.toMatchObject({ tag: 'AskTimeout', waitedMs: 40 });
  await clock.advance(100);
  await failed;
  expect(remaining).toEqual([40, 40, 0]);
  await system.stop();
});

test('stopping a system fails what is still asked', async () => {
  const { system, clock } = createTestSystem();
  const answer = new Probe(system, counterProtocol, 'probe').ref.ask.get();
  const failed = expect(answer).rejects.toMatchObject({ tag: 'NoSuchActor' });
  await system.idle();
  await system.stop();
  await failed;
  expect(clock.pending).toBe(0);
});
