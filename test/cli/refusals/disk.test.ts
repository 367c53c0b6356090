/**
 * Disks that refuse in the middle of a run: one line that says which file, why and how to go on; what was written before
 * is whole. A limit on the size of files stands for a full disk, since anybody may set one; where the system allows, a
 * file system of a few pages is filled for real.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, checkpointsOf, contentsOf, copyOf, curveOf, folder, launch, main, prepareFolder } from '../training.ts';
import { refusalOf, type Refusal } from './refusal.ts';

/** Of the tiny model: a checkpoint's largest file is larger than the first, and smaller than the second. */
const small = 64 * 1024;
const large = 512 * 1024;

/** The command on a disk that takes no file over `bytes`. */
const limited = (bytes: number): string[] => [
  'sh',
  '-c',
  `ulimit -f ${bytes / 512} && exec "$@"`,
  'sh',
  process.execPath,
  main,
];

const launchOn = (command: readonly string[], runDir: string, ...more: string[]): Refusal =>
  refusalOf(['launch', 'tiny.yaml', '--quiet', '--run-dir', runDir, ...more], command);

beforeAll(() => {
  prepareFolder();
  launch('whole');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a disk that is full', () => {
  test('at the first checkpoint: nothing looks like one, and the directory may be used again', () => {
    expect(launchOn(limited(small), 'first')).toEqual({
      lines: [
        'troupe: checkpoint first/checkpoints/step-000000.g1.partial/run-stage-p0-d0.safetensors: EFBIG: file too large, write; ' +
          'check that disk, then launch again with --resume: it begins anew, as no checkpoint was written yet',
      ],
      exitCode: 1,
      changed: [],
      made: [
        'first/',
        'first/checkpoints/',
        'first/config.yaml',
        'first/decisions.jsonl',
        'first/events.jsonl',
        'first/metrics.jsonl',
      ],
    });
    expect(launch('first', '--resume', '--steps', '2')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(checkpointsOf('first')).toEqual(['step-000000.g1', 'step-000002.g1']);
  });

  test('at a later one: those before are whole, and the run goes on from there as if nothing had been', () => {
    const run = copyOf('whole', 'later', 2, 4);
    const before = contentsOf(at(run, 'checkpoints'));
    expect(launchOn(limited(small), run, '--resume')).toMatchObject({
      lines: [
        'troupe: checkpoint later/checkpoints/step-000006.g2.partial/run-stage-p0-d0.safetensors: EFBIG: file too large, write; ' +
          'check that disk, then launch again with --resume: it goes on from step 4',
        'continue with: npx troupe launch --resume later',
      ],
      exitCode: 1,
      made: [],
    });
    expect(contentsOf(at(run, 'checkpoints'))).toEqual(before);
    expect(launch(run, '--resume')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(curveOf(run)).toEqual(curveOf('whole'));
  });

  test('while texts are packed: no part of a corpus is left', () => {
    const { made, ...rest } = launchOn(limited(512 * 16), 'packing', '--set', 'data.cache_dir=elsewhere');
    expect(rest).toEqual({
      lines: [
        expect.stringMatching(
          /^troupe: cannot write the packed corpus below DIR\/elsewhere\/[0-9a-f]{64}: EFBIG: file too large, write; check that disk, or set data\.cache_dir to another folder$/,
        ),
      ],
      exitCode: 1,
      changed: [],
    });
    expect(made.filter((name) => name.startsWith('elsewhere') && !name.endsWith('/'))).toEqual([]);
  });

  test('before anything is written: not even the config', () => {
    expect(launchOn(limited(512), 'early')).toEqual({
      lines: [
        'troupe: run directory early: its file config.yaml cannot be written (EFBIG); check that disk, or give another --run-dir',
      ],
      exitCode: 2,
      changed: [],
      made: ['early/'],
    });
  });
});

describe('a log that cannot grow ends the run with its name, and keeps its lines', () => {
  const lines = (path: string, keep: (line: { step?: number }) => boolean): string[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .filter((line) => keep(JSON.parse(line) as { step?: number }));

  /** A copy of the run as of step 4, with this log so long that no line more has room. */
  function withFull(log: string, runDir: string, filling: (room: number) => string): void {
    copyOf('whole', runDir, 4);
    const path = at(runDir, log);
    const lastStep = log === 'decisions.jsonl' ? 3 : 4;
    const kept = lines(path, ({ step = 0 }) => step <= lastStep).map((line) => `${line}\n`);
    writeFileSync(path, filling(large - kept.join('').length) + kept.join(''));
  }

  const padded = (field: string) => (room: number) => `{${field}"pad":"${'x'.repeat(room - field.length - 11)}"}\n`;
  const decision = JSON.stringify({ gen: 1, step: 0, verdict: 'commit', updateStep: 1, lr: 0.01, clip: 1 });

  test.each([
    ['metrics.jsonl', padded('"step":0,')],
    ['events.jsonl', padded('')],
    ['decisions.jsonl', (room: number) => `${decision}\n`.repeat(Math.floor(room / (decision.length + 1)))],
  ])('%s', (log, filling) => {
    const run = log.replace('.jsonl', '');
    withFull(log, run, filling);
    const before = readFileSync(at(run, log), 'utf8');
    expect(before.length).toBeGreaterThan(large - 100);
    const { lines: said, exitCode, made } = launchOn(limited(large), run, '--resume');
    expect(said).toEqual([
      `troupe: ${run}/${log}: cannot be written (EFBIG); check that disk, then continue with --resume`,
      // The first event is written before the run has begun.
      ...(log === 'events.jsonl' ? [] : [`continue with: npx troupe launch --resume ${run}`]),
    ]);
    expect([exitCode, made]).toEqual([1, []]);
    expect(readFileSync(at(run, log), 'utf8')).toBe(before);
  });
});

const mount = (size: string): string[] => [
  ...['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'],
  `mount -t tmpfs -o size=${size} none small && exec "$@"`,
  ...['sh', process.execPath, main],
];
const mayMount = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']);

describe.skipIf(mayMount.status !== 0)('a file system without room', () => {
  test.each([
    [
      '64k',
      /^troupe: checkpoint small\/run\/checkpoints\/step-000000\.g1\.partial\/.+: ENOSPC: no space left on device, write; free space on that disk, then launch again with --resume: it begins anew, as no checkpoint was written yet$/,
      1,
    ],
    [
      '4k',
      /^troupe: run directory small\/run: its file (lock|config\.yaml) cannot be written \(ENOSPC\); free space on that disk, or give another --run-dir$/,
      2,
    ],
  ])('of %s', (size, line, exitCode) => {
    mkdirSync(at('small'), { recursive: true });
    const { lines, exitCode: found } = launchOn(mount(size), 'small/run');
    expect(lines).toEqual([expect.stringMatching(line)]);
    expect(found).toBe(exitCode);
  });
});
