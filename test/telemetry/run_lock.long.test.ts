/** Starts of four processes at once over a stale lock, again and again: as four launches are, and unlike a queue of waiting ones. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { thisProcess } from '../../src/process_identity.ts';
import { Contenders, deadPid } from './contention.ts';

test('of four processes started at once over a stale lock, one has it, 200 times', { timeout: 600_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-lock-'));
  const pid = await deadPid();
  for (let round = 0; round < 200; round += 1) {
    await using four = new Contenders(4);
    writeFileSync(join(directory, 'lock'), JSON.stringify({ ...thisProcess(), pid, nonce: String(round) }));
    const answers = await four.take(directory);
    expect(answers.filter((answer) => answer === 'owner')).toHaveLength(1);
    expect(answers.filter((answer) => answer.includes('is in use by process'))).toHaveLength(3);
    await four.release();
    expect(readdirSync(directory)).toEqual([]);
  }
  rmSync(directory, { recursive: true });
});
