/** Disk, store, memory, loopback: from which size on the doctor warns, and when a run cannot start. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { judgeDisk } from '../../../src/cli/checks/disk.ts';
import { lookAt } from '../../../src/cli/checks/folder.ts';
import { checkLoopback, judgeLoopback } from '../../../src/cli/checks/loopback.ts';
import { judgeMemory } from '../../../src/cli/checks/memory.ts';
import { judgeStore } from '../../../src/cli/checks/store.ts';

const mib = 2 ** 20;
const gib = 2 ** 30;
const folder = (freeBytes: number | null, isWritable = true) => ({ path: '/runs', isWritable, freeBytes });

test.each([
  [4 * gib, 'ok', '/runs: 4.0 GiB free'],
  [4 * gib - 1, 'warn', '/runs: only 4.0 GiB free'],
  [256 * mib, 'warn', '/runs: only 0.3 GiB free'],
  [256 * mib - 1, 'fail', '/runs: only 0.2 GiB free'],
  [null, 'ok', '/runs: can be written'],
])('a disk with %d bytes free is %s', (freeBytes, mark, found) => {
  expect(judgeDisk(folder(freeBytes))).toMatchObject({ mark, found, facts: { path: '/runs', free_bytes: freeBytes } });
});

test('a disk that cannot be written is a failure, whatever is free', () => {
  expect(judgeDisk(folder(9 * gib, false))).toMatchObject({
    mark: 'fail',
    found: '/runs: cannot be written',
    mend: 'start in a folder of yours, or give --run-dir',
  });
});

test.each([
  [128 * mib, true, 'ok'],
  [128 * mib - 1, true, 'warn'],
  [null, true, 'ok'],
  [9 * gib, false, 'warn'],
])('a store with %d bytes free, writable %s, is %s', (freeBytes, isWritable, mark) => {
  const finding = judgeStore(folder(freeBytes, isWritable));
  expect(finding.mark).toBe(mark);
  expect(finding.mend === null).toBe(mark === 'ok');
});

test('a folder that is not there yet is judged by the one above it', () => {
  const above = mkdtempSync(join(tmpdir(), 'troupe-folder-'));
  const there = lookAt(above);
  expect(lookAt(join(above, 'runs', 'new'))).toEqual({
    path: join(above, 'runs', 'new'),
    isWritable: true,
    freeBytes: expect.any(Number) as number,
  });
  expect(there).toMatchObject({ path: above, isWritable: true });
  rmSync(above, { recursive: true });
});

test.skipIf(process.platform === 'win32')('below a file nothing can be written', () => {
  const above = mkdtempSync(join(tmpdir(), 'troupe-folder-'));
  writeFileSync(join(above, 'file'), '');
  expect(lookAt(join(above, 'file', 'runs')).isWritable).toBe(false);
  rmSync(above, { recursive: true });
});

const machine = { cores: 4, totalBytes: 16 * gib, perWorkerBytes: 2 * gib };

test.each([
  [16 * gib, 4, 'ok', '4 cores, 16.0 GiB of 16.0 GiB free: 4 workers fit at 2.0 GiB each'],
  [4.25 * gib, 2, 'ok', '4 cores, 4.3 GiB of 16.0 GiB free: 2 workers fit at 2.0 GiB each'],
  [2.25 * gib, 1, 'ok', '4 cores, 2.3 GiB of 16.0 GiB free: 1 worker fits at 2.0 GiB each'],
  [2.25 * gib - 1, 0, 'warn', '4 cores, 2.2 GiB of 16.0 GiB free: no worker fits at 2.0 GiB each'],
  [257 * mib, 0, 'warn', '4 cores, 0.3 GiB of 16.0 GiB free: no worker fits at 2.0 GiB each'],
  [257 * mib - 1, 0, 'fail', '4 cores, 0.3 GiB of 16.0 GiB free: no worker fits at 2.0 GiB each'],
])('in %d bytes of memory fit %d workers: %s', (availableBytes, workers, mark, found) => {
  expect(judgeMemory({ ...machine, availableBytes })).toMatchObject({ mark, found, facts: { workers } });
});

test('where no worker fits, the setting that fits is named', () => {
  const { mend } = judgeMemory({ ...machine, availableBytes: 1280 * mib });
  expect(mend).toBe("end other programs, or give a worker less: '--set cluster.memory_per_worker=1GiB'");
});

test('loopback is tried, and missing is a warning', async () => {
  expect((await checkLoopback()).mark).toBe('ok');
  expect(judgeLoopback('listen EADDRNOTAVAIL: address not available 127.0.0.1')).toMatchObject({
    mark: 'warn',
    found: 'listen EADDRNOTAVAIL: address not available 127.0.0.1: one node trains without it',
    facts: { usable: false },
  });
});
