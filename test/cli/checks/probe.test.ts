/** A probe may do whatever it likes: the doctor gets an answer or a reason. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ask, type Answer } from '../../../src/cli/checks/probe.ts';

const program = join(import.meta.dirname, 'probes', 'probe.ts');
const schema = z.strictObject({ what: z.string() });

const asked = (what: string, limitMs = 60_000): Promise<Answer<{ what: string }>> =>
  ask({ program, args: [what], schema, limitMs });

test('an answer is told from what libraries print', async () => {
  expect(await asked('works')).toEqual({ kind: 'answered', value: { what: 'works' }, noise: 'a driver warns\n' });
});

test('an error is a reason, in one line', async () => {
  expect(await asked('fails')).toEqual({ kind: 'failed', reason: 'no library', noise: 'a driver warns\n' });
});

test.each([
  ['crashes', 'it crashed (SIGKILL)'],
  ['ends', 'it ended with code 3'],
  ['babbles', 'it ended without an answer'],
])('one that %s is a reason', async (what, reason) => {
  expect(await asked(what)).toEqual({ kind: 'failed', reason, noise: '' });
});

test('one that hangs is ended', async () => {
  expect(await asked('hangs', 500)).toMatchObject({ kind: 'failed', reason: 'it took more than 0.5 s and was ended' });
});

test('an answer of another form is none', async () => {
  const other = await ask({ program, args: ['works'], schema: z.strictObject({ size: z.number() }), limitMs: 60_000 });
  expect(other).toMatchObject({ kind: 'failed', reason: 'it ended without an answer' });
});
