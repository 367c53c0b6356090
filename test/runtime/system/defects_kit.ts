/** Watchers, slow actors and kept dead letters, for the tests of what becomes of actors and messages when something ends. */

import { defineProtocol, tell, type Context, type DeadLetter, type Down } from '../../../src/runtime/index.ts';
import { createTestSystem, type TestSystemOptions } from '../../../src/runtime/testing/index.ts';

export const lookoutProtocol = defineProtocol('defects-lookout', { look: tell() });
export const lookout = (downs: Down[], address = 'counter') => ({
  look: (_: undefined, ctx: Context) => ctx.watch({ address }),
  down: (event: Down) => void downs.push(event),
});
export const slowProtocol = defineProtocol('defects-slow', { work: tell(), more: tell() });

/** A test system whose dead letters are kept, as one line each. */
export function withLetters(options: TestSystemOptions = {}) {
  const letters: string[] = [];
  const onDeadLetter = ({ from, to, message, why, count }: DeadLetter) =>
    letters.push(`${count} ${message}: ${from} → ${to}, ${why}`);
  return { ...createTestSystem({ ...options, onDeadLetter }), letters };
}
