/** Nothing is dropped in silence: a message that nobody takes is an event with who, what and why. */

import { expect, test } from 'vitest';
import { DEAD_LETTER_WINDOW_MS } from '../../../src/runtime/system/dead_letters.ts';
import { createTestSystem } from '../../../src/runtime/testing/index.ts';
import { counterProtocol } from '../counter.ts';
import { withLetters } from './defects_kit.ts';

test('a storm of the same dead letter is told once in a while, and none of it is left out', async () => {
  const { system, clock, letters } = withLetters();
  const nobody = system.ref(counterProtocol, 'nobody');
  for (let n = 0; n < 1000; n++) nobody.tell.add({ n });
  nobody.tell.bulk({ n: 1 });
  await clock.advance(DEAD_LETTER_WINDOW_MS);
  for (let n = 0; n < 5; n++) nobody.tell.add({ n });
  await system.stop();
  const told = (count: number, message: string) => `${count} ${message}: @local → nobody, no such actor`;
  expect(letters).toEqual([told(1, 'add'), told(1, 'bulk'), told(1000, 'add'), told(4, 'add')]);
  expect(system.counters.deadLetters).toBe(1006);
});

test('without a listener a dead letter is a line that no screen shows', async () => {
  const { system, log } = createTestSystem();
  system.ref(counterProtocol, 'nobody').tell.add({ n: 1 });
  expect(log).toEqual([
    {
      level: 'info',
      address: 'nobody',
      text: "dead letter: 'add' from @local (no such actor)",
      fields: { from: '@local', message: 'add', why: 'no such actor', count: 1 },
    },
  ]);
  await system.stop();
});
