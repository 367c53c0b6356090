import { expect, test } from 'vitest';
import { createLocalSystem, defineProtocol, tell } from '../../../src/runtime/index.ts';
import { SystemClock } from '../../../src/runtime/system/clock.ts';
import { Scheduler } from '../../../src/runtime/system/scheduler.ts';
import { Counter, counterProtocol } from '../counter.ts';

test('actors that never run out of messages leave the event loop its turns', async () => {
  const system = createLocalSystem();
  const spinner = defineProtocol('spinner', { spin: tell() });
  let isOver = false;
  const ref = system.spawn(spinner, 'spinner', (scope) => ({
    spin: () => {
      if (!isOver) scope.ref(spinner, 'spinner').tell.spin();
    },
  }));
  ref.tell.spin();
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  isOver = true;
  await system.idle();
  expect(system.counters.delivered).toBe(system.counters.sent);
  await system.stop();
});

test('asks one after another leave the event loop its turns', async () => {
  const system = createLocalSystem();
  const ref = system.spawn(counterProtocol, 'counter', () => new Counter());
  const timer = new AbortController();
  setTimeout(() => timer.abort(), 0);
  let asked = 0;
  // Without turns for the event loop the timer never fires and this never ends.
  while (!timer.signal.aborted) {
    await ref.ask.get();
    asked += 1;
  }
  expect(system.counters.delivered).toBe(asked);
  await system.stop();
});

test('those that want another turn get it after the others', async () => {
  const scheduler = new Scheduler(new SystemClock());
  const turns: string[] = [];
  const runner = (name: string, wanted: number) => ({
    run: () => {
      turns.push(name);
      wanted -= 1;
      return wanted > 0;
    },
  });
  scheduler.enqueue(runner('a', 3));
  scheduler.enqueue(runner('b', 1));
  scheduler.enqueue(runner('c', 2));
  await scheduler.idle();
  expect(turns).toEqual(['a', 'b', 'c', 'a', 'c', 'a']);
});
