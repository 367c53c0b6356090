/**
 * Eight defects that actor libraries are known for, one section each: what this runtime does instead. Read it like a
 * course on what becomes of actors, and of messages, when something ends; it goes on in known_defects_of_ends.test.ts.
 */

import { describe, expect, test } from 'vitest';
import { actor, supervisor, supervisorProtocol, type ActorScope, type Down } from '../../../src/runtime/index.ts';
import { createTestSystem } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';
import { lookout, lookoutProtocol, slowProtocol, withLetters } from './defects_kit.ts';

const noPause = { backoff: { firstMs: 0, factor: 1, maxMs: 0 } };

describe('1. a constructor that throws, and its watchers', () => {
  test('who watches is told of the failure once, and that nobody is there if it looks again', async () => {
    const { system, clock, log } = createTestSystem();
    const downs: Down[] = [];
    let starts = 0;
    const create = () => {
      if (++starts === 2) throw new Error('no memory');
      return new Counter();
    };
    const backoff = { firstMs: 10, factor: 1, maxMs: 10 };
    system.start(supervisor('team', { backoff }, [actor(counterProtocol, 'counter', create)]));
    const watcher = system.spawn(lookoutProtocol, 'lookout', () => lookout(downs));
    watcher.tell.look();
    await clock.settle();
    system.ref(counterProtocol, 'counter').tell.fail({ message: 'broken' });
    await clock.advance(10);
    watcher.tell.look();
    await clock.settle();
    expect(downs).toEqual([
      { address: 'counter', reason: 'failed', error: 'broken' },
      { address: 'counter', reason: 'gone', error: null },
    ]);
    await clock.advance(10);
    expect(starts).toBe(3);
    expect(log.map(({ text }) => text)).toContain(
      'counter failed: counter: failed to start: no memory; starts counter in 10 ms, 2 of at most 3 restarts in 5000 ms',
    );
    await system.stop();
  });

  test('what a constructor began before it threw is undone: its timers and its watching', async () => {
    const { system, clock } = withLetters();
    system.spawn(counterProtocol, 'counter', () => new Counter());
    const create = (scope: ActorScope) => {
      scope.watch({ address: 'counter' });
      scope.clock.after(10, () => expect.unreachable());
      throw new Error('no memory');
    };
    expect(() => system.spawn(slowProtocol, 'slow', create)).toThrow('slow: failed to start: no memory');
    expect(clock.pending).toBe(0);
    await system.stop();
    expect(system.counters.deadLetters).toBe(0);
  });
});

describe('2. a terminating actor with a queued message', () => {
  test('what is queued is refused or told as a dead letter, and who began to watch is told of the end', async () => {
    const { system, clock, letters } = withLetters();
    const downs: Down[] = [];
    let finish: () => void = () => undefined;
    const work = async () => new Promise<void>((resolve) => (finish = resolve));
    const handlers = (scope: ActorScope) => ({ work, more: () => scope.stop(), stopped: work });
    const slow = system.spawn(slowProtocol, 'slow', handlers, { restart: 'temporary' });
    const watchers = ['early', 'late'].map((name) => system.spawn(lookoutProtocol, name, () => lookout(downs, 'slow')));
    slow.tell.more();
    slow.tell.work();
    watchers[0].tell.look();
    await clock.settle();
    // It stops, and is not done with it.
    slow.tell.work();
    watchers[1].tell.look();
    await clock.settle();
    expect(downs).toEqual([]);
    finish();
    await clock.settle();
    const down = { address: 'slow', reason: 'stopped', error: null };
    expect(downs).toEqual([down, down]);
    await system.stop();
    expect(letters).toEqual(['1 work: @local → slow, receiver ended', '1 work: @local → slow, receiver ended']);
  });

  test('who watches while a message is in hand is told when that message brings the end', async () => {
    const { system, clock } = createTestSystem();
    const downs: Down[] = [];
    let crash: (error: Error) => void = () => undefined;
    const work = async () => new Promise<void>((_, reject) => (crash = reject));
    const slow = system.spawn(slowProtocol, 'slow', () => ({ work, more: work }), { restart: 'temporary' });
    slow.tell.work();
    await clock.settle();
    system.spawn(lookoutProtocol, 'lookout', () => lookout(downs, 'slow')).tell.look();
    await clock.settle();
    crash(new Error('broken'));
    await clock.settle();
    expect(downs).toEqual([{ address: 'slow', reason: 'failed', error: 'broken' }]);
    await system.stop();
  });
});

describe('3. restarts that nobody logs', () => {
  test.each([
    ['fail', 'counter failed: broken'],
    ['leave', 'counter stopped'],
  ])('an actor that ends by %s is restarted with a line that says why, when and how often', async (how, why) => {
    const { system, clock, log } = createTestSystem();
    let leave: () => void = () => undefined;
    const create = (scope: ActorScope) => {
      leave = () => scope.stop();
      return new Counter();
    };
    system.start(supervisor('team', { strategy: 'one_for_all' }, [actor(counterProtocol, 'counter', create)]));
    if (how === 'leave') leave();
    else system.ref(counterProtocol, 'counter').tell.fail({ message: 'broken' });
    await clock.settle();
    expect(log.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        address: 'team',
        text: `${why}; starts counter in 50 ms, 1 of at most 3 restarts in 5000 ms`,
        fields: {},
      },
    ]);
    await system.stop();
  });
});

describe('4. a restart budget that siblings share', () => {
  const failEach = async (strategy: 'one_for_one' | 'one_for_all', names: readonly string[]) => {
    const { system, clock } = createTestSystem({ supervision: noPause });
    const children = ['a', 'b', 'c'].map((name) => actor(counterProtocol, name, () => new Counter()));
    system.start(supervisor('team', { strategy, intensity: 2, ...noPause }, children));
    const before = await system.ref(supervisorProtocol, 'team').ask.children();
    for (const name of names) {
      system.ref(counterProtocol, name).tell.fail({ message: 'broken' });
      await clock.settle();
    }
    const after = await system.ref(supervisorProtocol, 'team').ask.children();
    const escalated = system
      .flightRecord()
      .some(({ address, message }) => address === 'local/root' && message === 'ended');
    await system.stop();
    return { running: after.filter(({ running }) => running).length, of: before.length, escalated };
  };

  test('an actor that is restarted by itself has a budget of its own', async () => {
    const each = ['a', 'b', 'c', 'a', 'b', 'c'];
    expect(await failEach('one_for_one', each)).toEqual({ running: 3, of: 3, escalated: false });
    expect(await failEach('one_for_one', ['a', 'a', 'a'])).toEqual({ running: 3, of: 3, escalated: true });
  });

  test('those that go down and up together have one, since each of its restarts is one of all', async () => {
    expect(await failEach('one_for_all', ['a', 'b', 'c'])).toEqual({ running: 3, of: 3, escalated: true });
  });
});
