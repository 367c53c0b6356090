import { expect, test } from 'vitest';
import { defineProtocol, tell, type ActorScope, type Down } from '../../../src/runtime/index.ts';
import { createTestSystem } from '../../../src/runtime/testing/index.ts';
import { Counter, counterProtocol } from '../counter.ts';

const watcherProtocol = defineProtocol('watcher', { look: tell(), away: tell() });

function watcher(downs: Down[]) {
  return (scope: ActorScope) => ({
    look: () => scope.watch({ address: 'counter' }),
    away: () => scope.unwatch({ address: 'counter' }),
    down: (event: Down) => void downs.push(event),
  });
}

test('a watcher is told once that the other has failed, and why', async () => {
  const { system } = createTestSystem();
  const downs: Down[] = [];
  const counter = system.spawn(counterProtocol, 'counter', () => new Counter(), { restart: 'temporary' });
  const ref = system.spawn(watcherProtocol, 'watcher', watcher(downs));
  ref.tell.look();
  ref.tell.look();
  await system.idle();
  counter.tell.fail({ message: 'broken' });
  await system.idle();
  expect(downs).toEqual([{ address: 'counter', reason: 'failed', error: 'broken' }]);
  await system.stop();
});

test('watching somebody who is not there is answered at once', async () => {
  const { system } = createTestSystem();
  const downs: Down[] = [];
  system.spawn(watcherProtocol, 'watcher', watcher(downs)).tell.look();
  await system.idle();
  expect(downs).toEqual([{ address: 'counter', reason: 'gone', error: null }]);
  await system.stop();
});

test('who no longer watches is told nothing', async () => {
  const { system } = createTestSystem();
  const downs: Down[] = [];
  const counter = system.spawn(counterProtocol, 'counter', () => new Counter(), { restart: 'temporary' });
  const ref = system.spawn(watcherProtocol, 'watcher', watcher(downs));
  ref.tell.look();
  ref.tell.away();
  await system.idle();
  counter.tell.fail({ message: 'broken' });
  await system.idle();
  expect(downs).toEqual([]);
  await system.stop();
});
