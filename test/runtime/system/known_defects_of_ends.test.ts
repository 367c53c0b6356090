/** The second half of the eight known defects: other systems, full mailboxes, the end of a system, and timers. */

import { describe, expect, test } from 'vitest';
import {
  ActorSystem,
  defineProtocol,
  seatThreads,
  tell,
  ThreadTransport,
  type ActorScope,
  type Context,
  type Down,
} from '../../../src/runtime/index.ts';
import { FaultPlan, VirtualClock } from '../../../src/runtime/testing/index.ts';
import { LocalTransport } from '../../../src/runtime/transport/local.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { lookout, lookoutProtocol, slowProtocol, withLetters } from './defects_kit.ts';

describe('5. remote watch', () => {
  test.each([
    ['fails', (far: ActorSystem) => far.ref(counterProtocol, 'counter').tell.fail({ message: 'broken' }), 'failed'],
    ['stops with its system', (far: ActorSystem) => void far.stop(), 'stopped'],
  ])('an actor of another system %s: who watches hears it', async (_, end, reason) => {
    const clock = new VirtualClock();
    const transport = new LocalTransport({ wire: true });
    const logSink = () => undefined;
    const [near, far] = ['near', 'far'].map((name) => new ActorSystem({ name, transport, clock, logSink }));
    const downs: Down[] = [];
    far.spawn(counterProtocol, 'counter', () => new Counter(), { restart: 'temporary' });
    near.spawn(lookoutProtocol, 'lookout', () => lookout(downs)).tell.look();
    await clock.settle();
    end(far);
    await clock.settle();
    expect(downs).toEqual([{ address: 'counter', reason, error: reason === 'failed' ? 'broken' : null }]);
    await near.stop();
    await far.stop();
  });

  test('an actor of another thread ends: who watches hears it', async () => {
    const transports = seatThreads(['near', 'far']).map((seat) => new ThreadTransport(seat));
    const logSink = () => undefined;
    const [near, far] = transports.map((transport) => new ActorSystem({ name: transport.name, transport, logSink }));
    far.spawn(counterProtocol, 'far/counter', () => new Counter(), { restart: 'temporary' });
    const down = Promise.withResolvers<Down>();
    near
      .spawn(lookoutProtocol, 'near/lookout', () => ({
        look: (_, ctx) => ctx.watch({ address: 'far/counter' }),
        down: (event) => down.resolve(event),
      }))
      .tell.look();
    await near.idle();
    near.ref(counterProtocol, 'far/counter').tell.fail({ message: 'broken' });
    expect(await down.promise).toEqual({ address: 'far/counter', reason: 'failed', error: 'broken' });
    for (const system of [near, far]) await system.stop();
    for (const transport of transports) transport.close();
  });
});

// By design the data lane is bounded by credits: who overfills it has not counted its own, or what it sent is lost
// to a sum that then never closes. So such a sender does fail, by name, for its supervisor to judge: but no other.
describe('6. a full mailbox that kills its sender', () => {
  test('who asks is refused and lives; only who tells beyond its credits fails, and not the receiver', async () => {
    const { system, letters } = withLetters();
    const full = defineProtocol('defects-flood', { flood: tell() });
    const counter = system.spawn(counterProtocol, 'counter', () => new Counter(), { dataCapacity: 1 });
    const flood = (_: undefined, ctx: Context) => {
      for (const n of [1, 2]) ctx.ref(counterProtocol, 'counter').tell.bulk({ n });
    };
    system.spawn(full, 'flooder', () => ({ flood }), { restart: 'temporary' }).tell.flood();
    await system.idle();
    expect(await counter.ask.get()).toBe(1);
    expect([system.mailboxDepth('flooder'), system.counters.failures]).toEqual([null, 1]);
    // Code that is no actor only hears of it.
    for (const n of [10, 20]) counter.tell.bulk({ n });
    await system.idle();
    expect(await counter.ask.get()).toBe(11);
    expect(letters).toEqual(['1 bulk: flooder → counter, mailbox full']);
    await system.stop();
    expect(letters[1]).toBe('1 bulk: @local → counter, mailbox full');
  });
});

describe('7. shutdown shorter than the drain', () => {
  test('a system that stops waits for messages in hand however long they take, and accounts for the queued', async () => {
    const { system, clock, letters } = withLetters();
    const done: string[] = [];
    const work = (_: undefined, ctx: Context) =>
      new Promise<void>((resolve) => {
        ctx.clock.after(3_600_000, () => {
          done.push('worked');
          resolve();
        });
      });
    const slow = system.spawn(slowProtocol, 'slow', () => ({
      work,
      more: work,
      stopped: () => void done.push('stopped'),
    }));
    for (let i = 0; i < 3; i++) slow.tell.work();
    await clock.settle();
    const stopped = system.stop().then(() => done.push('system'));
    await clock.advance(3_599_999);
    expect(done).toEqual([]);
    await clock.advance(1);
    await stopped;
    expect(done).toEqual(['worked', 'stopped', 'system']);
    slow.tell.work();
    expect(letters).toEqual([
      '1 work: @local → slow, receiver ended',
      '1 work: @local → slow, receiver ended',
      '1 work: @local → slow, system stopped',
    ]);
    expect(system.counters.deadLetters).toBe(3);
  });
});

describe('8. timers after the end', () => {
  test.each(['stop', 'fail', 'kill'])('a timer of an actor that ends by %s never fires', async (how) => {
    const rules = how === 'kill' ? [{ to: 'timed', message: 'get', fault: { kind: 'kill' } } as const] : [];
    const { system, clock, letters } = withLetters({ filter: new FaultPlan(1, rules) });
    let scope: ActorScope | undefined;
    const create = (own: ActorScope) => {
      scope = own;
      own.clock.after(10, () => expect.unreachable());
      return new Counter();
    };
    const ref = system.spawn(counterProtocol, 'timed', create, { restart: 'temporary' });
    if (how === 'stop') scope?.stop();
    else if (how === 'fail') ref.tell.fail({ message: 'broken' });
    else await expect(ref.ask.get()).rejects.toMatchObject({ tag: 'NoSuchActor' });
    await clock.settle();
    scope?.clock.after(10, () => expect.unreachable());
    scope?.ref(counterProtocol, 'timed').tell.add({ n: 1 });
    await clock.advance(1_000);
    expect(letters.at(-1)).toBe('1 add: timed → timed, sender ended');
    await system.stop();
  });
});
