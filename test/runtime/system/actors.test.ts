import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  actor,
  ask,
  defineProtocol,
  refSchema,
  tell,
  type Context,
  type Handlers,
  type Reply,
} from '../../../src/runtime/index.ts';
import { createTestSystem, Probe } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';

const gateProtocol = defineProtocol('gate', {
  enter: ask({ args: z.object({ name: z.string() }) }),
  open: tell(),
});

test('tells are handled in the order in which they were sent', async () => {
  const { system } = createTestSystem();
  const counter = new Counter();
  const ref = system.spawn(counterProtocol, 'counter', () => counter);
  for (const n of [3, 1, 2]) ref.tell.add({ n });
  expect(await ref.ask.get()).toBe(6);
  expect(counter.seen).toEqual(['add 3', 'add 1', 'add 2']);
  await system.stop();
});

test('args are encoded before tell returns, so the sender may reuse them', async () => {
  const { system } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  const args = { n: 5 };
  ref.tell.add(args);
  args.n = 100;
  expect(await ref.ask.get()).toBe(5);
  await system.stop();
});

test('an async handler holds the actor until it has finished', async () => {
  const { system, clock } = createTestSystem();
  const events: string[] = [];
  let open: () => void = () => undefined;
  const ref = system.spawn(gateProtocol, 'gate', () => ({
    async enter({ name }) {
      events.push(`in ${name}`);
      await new Promise<void>((resolve) => (open = resolve));
      events.push(`out ${name}`);
    },
    open: () => undefined,
  }));
  const first = ref.ask.enter({ name: 'a' });
  const second = ref.ask.enter({ name: 'b' });
  await clock.settle();
  expect(events).toEqual(['in a']);
  open();
  await first;
  await clock.settle();
  expect(events).toEqual(['in a', 'out a', 'in b']);
  open();
  await second;
  await system.stop();
});

test('a deferred answer lets the actor take the messages that lead to it', async () => {
  const { system } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  const answer = ref.ask.later({ key: 'x' });
  ref.tell.release({ key: 'x' });
  expect(await answer).toBe('released x');
  await system.stop();
});

test('an answer given twice is a bug of the actor', async () => {
  const { system, log } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter(), { restart: 'temporary' });
  const answer = ref.ask.later({ key: 'x' });
  ref.tell.release({ key: 'x' });
  await answer;
  ref.tell.release({ key: 'x' });
  await system.idle();
  expect(log.map(({ text }) => text)).toEqual(["failed: counter: 'later': was answered twice; answer an ask once"]);
  await system.stop();
});

test('an answer that is refused at the end of a handler fails the ask, and the actor goes on', async () => {
  const protocol = defineProtocol('door', { open: ask({ reply: z.string() }), knock: ask({ reply: z.string() }) });
  class Door implements Handlers<typeof protocol> {
    async open(_args: undefined, ctx: Context): Promise<string | Reply<string>> {
      await Promise.resolve();
      const reply = ctx.defer<string>();
      reply.reject(new RangeError('it is locked'));
      return reply;
    }
    knock(): string {
      return 'who is there?';
    }
  }
  const { system, log } = createTestSystem();
  const door = system.spawn(protocol, 'door', () => new Door());
  await expect(door.ask.open()).rejects.toThrow('it is locked');
  expect(await door.ask.knock()).toBe('who is there?');
  expect(log).toEqual([]);
  await system.stop();
});

test('a handler that throws rejects the ask with its tag and message', async () => {
  const { system } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  await expect(ref.ask.refuse({ message: 'no room' })).rejects.toMatchObject({ tag: 'RangeError', message: 'no room' });
  await system.stop();
});

test('asks that wait in the mailbox of an actor that fails are refused', async () => {
  const { system } = createTestSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter(), { restart: 'temporary' });
  const open = ref.ask.later({ key: 'x' });
  ref.tell.fail({ message: 'broken' });
  const waiting = ref.ask.get();
  await expect(open).rejects.toMatchObject({ tag: 'NoSuchActor' });
  await expect(waiting).rejects.toMatchObject({ tag: 'NoSuchActor' });
  expect(system.counters).toMatchObject({ failures: 1, deadLetters: 1 });
  await system.stop();
});

const relayProtocol = defineProtocol('relay', {
  forward: tell({ args: z.object({ to: refSchema(counterProtocol), n: z.number() }) }),
});

test('a ref sent in a message arrives as a ref owned by the receiver', async () => {
  const { system } = createTestSystem();
  const probe = new Probe(system, counterProtocol, 'probe');
  const relay = system.spawn(relayProtocol, 'relay', () => ({ forward: ({ to, n }) => to.tell.add({ n }) }));
  relay.tell.forward({ to: probe.ref, n: 4 });
  expect(await probe.next()).toMatchObject({ message: 'add', args: { n: 4 }, sender: 'relay' });
  await system.stop();
});

test('only those named in the table may send a message', async () => {
  const { system, log } = createTestSystem();
  const guarded = defineProtocol('guarded', { poke: ask({ from: ['run/*'] }), open: tell({ from: ['@*'] }) });
  const opened: string[] = [];
  const ref = system.spawn(guarded, 'guarded', () => ({
    poke: () => undefined,
    open: (_, ctx) => void opened.push(ctx.sender),
  }));
  const callers = defineProtocol('caller', { call: ask() });
  const call = (_: undefined, ctx: Context) => ctx.ask(ref).poke();
  const allowed = system.spawn(callers, 'run/a', () => ({ call }));
  const refused = system.spawn(callers, 'other/a', () => ({ call }), { restart: 'temporary' });
  await allowed.ask.call();
  await expect(refused.ask.call()).rejects.toMatchObject({
    tag: 'NotAllowed',
    message: "guarded: 'poke' is not for other/a to send; see 'from' in the message table",
  });
  ref.tell.open();
  await system.idle();
  expect(opened).toEqual(['@local']);
  expect(system.counters.refusedInvalid).toBe(1);
  expect(log.map(({ level, address }) => `${level} ${address}`)).toEqual(['warn guarded', 'error other/a']);
  await system.stop();
});

test('args that do not fit their schema are refused with the path of the first problem', async () => {
  const { system } = createTestSystem();
  const loose = defineProtocol('loose', { get: ask({ args: z.object({ n: z.number().max(3) }) }) });
  const ref = system.spawn(loose, 'loose', () => ({ get: () => undefined }));
  await ref.ask.get({ n: 3 });
  await expect(ref.ask.get({ n: 4 })).rejects.toMatchObject({
    tag: 'InvalidArgs',
    message: "loose: 'get' args.n: Too big: expected number to be <=3; see the schema in the message table",
  });
  await system.stop();
});

test('an actor without a method for a message of its table does not start', async () => {
  const { system } = createTestSystem();
  const spec = { ...actor(counterProtocol, 'partial', () => new Counter()), create: () => ({ add: () => undefined }) };
  expect(() => system.start(spec)).toThrow(
    "partial: failed to start: partial: has no method 'bulk'; add it to the actor",
  );
  await system.stop();
});

test('an address belongs to one actor at a time', async () => {
  const { system, clock } = createTestSystem();
  const create = () => new Counter();
  system.spawn(
    counterProtocol,
    'counter',
    (scope) => {
      scope.clock.after(10, () => scope.stop());
      return new Counter();
    },
    { restart: 'temporary' },
  );
  expect(() => system.spawn(counterProtocol, 'counter', create)).toThrow(
    'counter: an actor lives there already; stop it first or choose another address',
  );
  await clock.advance(10);
  expect(await system.spawn(counterProtocol, 'counter', create).ask.get()).toBe(0);
  expect(() => system.spawn(counterProtocol, 'Not/OK', create)).toThrow("address 'Not/OK'");
  await system.stop();
});

test('a system stops its actors last first, each after its stopped hook', async () => {
  const { system } = createTestSystem();
  const events: string[] = [];
  const idle = defineProtocol('idle', { noop: tell() });
  for (const name of ['a', 'b']) {
    system.spawn(idle, name, () => ({
      noop: () => undefined,
      async stopped() {
        events.push(`${name} stopping`);
        await Promise.resolve();
        events.push(`${name} stopped`);
      },
    }));
  }
  const ref = system.ref(counterProtocol, 'a');
  await system.stop();
  expect(events).toEqual(['b stopping', 'b stopped', 'a stopping', 'a stopped']);
  await expect(ref.ask.get()).rejects.toMatchObject({ tag: 'SystemStopped' });
  expect(() => system.spawn(idle, 'c', () => ({ noop: () => undefined }))).toThrow('system local: stopped');
  expect(system.counters.deadLetters).toBe(0);
});

test('what cannot travel is refused where it is sent', async () => {
  const { system } = createTestSystem();
  const open = defineProtocol('open', { put: tell({ args: z.unknown() }), swap: ask({ args: z.unknown() }) });
  const ref = system.spawn(open, 'open', () => ({ put: () => undefined, swap: () => undefined }));
  expect(() => ref.tell.put({ when: new Date(0) })).toThrow(
    'args: an instance of Date cannot travel; send plain objects, arrays, numbers, strings, booleans, null, and tensors and refs where the message table has them',
  );
  await expect(ref.ask.swap(() => 1)).rejects.toMatchObject({ tag: 'CannotEncode' });
  await system.stop();
});

test('a protocol name is declared once and hooks are no messages', () => {
  expect(() => defineProtocol('counter', { a: tell() })).toThrow(
    'counter: is declared twice; give the second another name',
  );
  expect(() => defineProtocol('hooked', { down: tell() })).toThrow(
    "hooked: has a message 'down', the name of a hook; rename it",
  );
});
