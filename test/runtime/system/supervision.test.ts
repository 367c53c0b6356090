import { expect, test } from 'vitest';
import {
  actor,
  defineProtocol,
  supervisor,
  supervisorProtocol,
  tell,
  type ActorScope,
  type ChildOptions,
  type ChildSpec,
  type SupervisionOptions,
} from '../../../src/runtime/index.ts';
import { createTestSystem, FaultPlan } from '../../../src/runtime/testing/index.ts';

const workerProtocol = defineProtocol('worker', { crash: tell(), leave: tell() });

/** Specs of workers that write their starts and stops into `events`. */
function workers(events: string[], startsThatFail: Record<string, number> = {}) {
  const starts = new Map<string, number>();
  const create = (scope: ActorScope) => {
    const { address } = scope;
    const nth = (starts.get(address) ?? 0) + 1;
    starts.set(address, nth);
    if (nth === startsThatFail[address]) throw new Error(`start ${nth} fails`);
    events.push(`+${address}`);
    return {
      crash: () => {
        throw new Error('crashed');
      },
      leave: () => scope.stop(),
      stopped: () => void events.push(`-${address}`),
    };
  };
  return (address: string, options?: ChildOptions): ChildSpec => actor(workerProtocol, address, create, options);
}

const fast = { backoff: { firstMs: 0, factor: 2, maxMs: 0 } };

async function afterCrash(strategy: SupervisionOptions['strategy']): Promise<string[]> {
  const { system, clock } = createTestSystem();
  const events: string[] = [];
  const worker = workers(events);
  system.start(
    supervisor(
      'team',
      { strategy, ...fast },
      ['a', 'b', 'c'].map((name) => worker(name)),
    ),
  );
  events.length = 0;
  system.ref(workerProtocol, 'b').tell.crash();
  await clock.settle();
  const seen = [...events];
  await system.stop();
  return seen;
}

test('children are started in order and stopped in reverse', async () => {
  const { system } = createTestSystem();
  const events: string[] = [];
  const worker = workers(events);
  system.start(supervisor('team', {}, [worker('a'), supervisor('inner', {}, [worker('b'), worker('c')]), worker('d')]));
  await system.stop();
  expect(events).toEqual(['+a', '+b', '+c', '+d', '-d', '-c', '-b', '-a']);
});

test('each strategy stops and starts the children it should', async () => {
  expect(await afterCrash('one_for_one')).toEqual(['+b']);
  expect(await afterCrash('one_for_all')).toEqual(['-c', '-a', '+a', '+b', '+c']);
  expect(await afterCrash('rest_for_one')).toEqual(['-c', '+b', '+c']);
});

test('restarts wait longer and longer', async () => {
  const { system, clock } = createTestSystem();
  const events: string[] = [];
  system.start(supervisor('team', { backoff: { firstMs: 10, factor: 3, maxMs: 1000 } }, [workers(events)('a')]));
  const starts: number[] = [];
  for (const waitMs of [10, 30]) {
    system.ref(workerProtocol, 'a').tell.crash();
    await clock.advance(waitMs - 1);
    starts.push(events.length);
    await clock.advance(1);
    starts.push(events.length);
  }
  expect(starts).toEqual([1, 2, 2, 3]);
  await system.stop();
});

test('a supervisor that restarts too often fails, and its own supervisor starts it anew', async () => {
  const { system, clock, log } = createTestSystem({ supervision: fast });
  const events: string[] = [];
  const worker = workers(events);
  system.start(supervisor('team', { intensity: 1, ...fast }, [worker('a'), worker('b')]));
  for (let i = 0; i < 2; i++) {
    system.ref(workerProtocol, 'b').tell.crash();
    await clock.settle();
  }
  expect(events).toEqual(['+a', '+b', '+b', '-a', '+a', '+b']);
  expect(log.map(({ address, text }) => `${address} ${text}`)).toEqual([
    'b failed: crashed',
    'team b failed: crashed; starts b in 0 ms, 1 of at most 1 restarts in 5000 ms',
    'b failed: crashed',
    'team failed: b ended: crashed (team restarted 1 times in 5000 ms and gives up)',
    'local/root team failed: b ended: crashed (team restarted 1 times in 5000 ms and gives up); ' +
      'starts team in 0 ms, 1 of at most 3 restarts in 5000 ms',
  ]);
  await system.stop();
});

test('when the root gives up all actors end and the system reports it', async () => {
  const failures: string[] = [];
  const { system, clock } = createTestSystem({
    supervision: { intensity: 0, ...fast },
    onFailure: (error) => failures.push(error),
  });
  const events: string[] = [];
  const worker = workers(events);
  system.start(worker('a'));
  system.start(worker('b'));
  system.ref(workerProtocol, 'b').tell.crash();
  await clock.settle();
  expect(failures).toEqual(['b ended: crashed (local/root may not restart its actors and gives up)']);
  expect(events).toEqual(['+a', '+b', '-a']);
  await system.stop();
});

test('a start that fails is undone and thrown to whoever asked for it', async () => {
  const { system, clock } = createTestSystem();
  const events: string[] = [];
  const worker = workers(events, { b: 1 });
  expect(() => system.start(supervisor('team', {}, [worker('a'), worker('b')]))).toThrow(
    'team: failed to start: b: failed to start: start 1 fails',
  );
  await clock.settle();
  expect(events).toEqual(['+a', '-a']);
  expect(system.mailboxDepth('team')).toBe(null);
  await system.stop();
});

test('a restart that fails counts as another failure', async () => {
  const { system, clock } = createTestSystem();
  const events: string[] = [];
  const worker = workers(events, { a: 2 });
  system.start(supervisor('team', fast, [worker('a')]));
  system.ref(workerProtocol, 'a').tell.crash();
  await clock.settle();
  expect(events).toEqual(['+a', '+a']);
  expect(await system.ref(supervisorProtocol, 'team').ask.children()).toEqual([
    { address: 'a', running: true, incarnation: 5 },
  ]);
  await system.stop();
});

test('a permanent child that leaves is started again, a transient one is not', async () => {
  const { system, clock } = createTestSystem();
  const events: string[] = [];
  const worker = workers(events);
  system.start(supervisor('team', fast, [worker('a'), worker('b', { restart: 'transient' })]));
  for (const name of ['a', 'b']) system.ref(workerProtocol, name).tell.leave();
  await clock.settle();
  expect(events).toEqual(['+a', '+b', '-a', '-b', '+a']);
  expect(await system.ref(supervisorProtocol, 'team').ask.children()).toMatchObject([{ address: 'a' }]);
  await system.stop();
});

test('the children of a killed supervisor are stopped before it starts again', async () => {
  const filter = new FaultPlan(1, [{ to: 'team', message: 'children', fault: { kind: 'kill' } }]);
  const { system, clock } = createTestSystem({ filter, supervision: fast });
  const events: string[] = [];
  const worker = workers(events);
  system.start(supervisor('team', {}, [worker('a'), worker('b')]));
  await expect(system.ref(supervisorProtocol, 'team').ask.children()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  await clock.settle();
  expect(events).toEqual(['+a', '+b', '-a', '-b', '+a', '+b']);
  await system.stop();
});

test('a restart that is wider than one already planned takes its place', async () => {
  const { system, clock } = createTestSystem();
  const events: string[] = [];
  const worker = workers(events);
  const backoff = { firstMs: 10, factor: 2, maxMs: 1000 };
  system.start(supervisor('team', { strategy: 'rest_for_one', backoff }, [worker('a'), worker('b')]));
  events.length = 0;
  system.ref(workerProtocol, 'b').tell.crash();
  await clock.advance(5);
  system.ref(workerProtocol, 'a').tell.crash();
  await clock.advance(10);
  expect(events).toEqual([]);
  await clock.advance(10);
  expect(events).toEqual(['+a', '+b']);
  await system.stop();
});
