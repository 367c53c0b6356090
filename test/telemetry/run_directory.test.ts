/** Run directories: whose they are, who is in them, and what is never overwritten. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunDirectory, RunDirectoryRefused } from '../../src/telemetry/index.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'troupe-runs-'));
});
afterEach(() => rmSync(parent, { recursive: true }));

const nowMs = Date.UTC(2026, 0, 31, 12, 30, 5);
const open = (directory: string | null, resume = false): RunDirectory =>
  RunDirectory.open({ directory, parent, name: 'quick', resume, nowMs });

/** Runs `work` as nobody, where this process is root, who may write everywhere. */
function withoutPrivileges<T>(work: () => T): T {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(65_534);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
  }
}

/** A directory as a run leaves it behind. */
function finishedRun(): string {
  const run = open(join(parent, 'old'));
  run.writeConfig('name: quick\n');
  writeFileSync(run.metricsPath, '{"step":1}\n');
  run.release();
  return run.path;
}

describe('a new run', () => {
  test('gets a directory by name and time, and another when that exists', () => {
    const runs = [open(null), open(null), open(null)];
    expect(runs.map((run) => run.path)).toEqual([
      join(parent, 'quick-20260131-123005'),
      join(parent, 'quick-20260131-123005-2'),
      join(parent, 'quick-20260131-123005-3'),
    ]);
    for (const run of runs) run.release();
  });

  test('takes the directory it is given, new or empty, and holds its files there', () => {
    mkdirSync(join(parent, 'empty'));
    for (const name of ['empty', 'deep/new']) {
      const run = open(join(parent, name));
      run.writeConfig('name: quick\n');
      expect(readFileSync(join(parent, name, 'config.yaml'), 'utf8')).toBe('name: quick\n');
      expect(run.metricsPath).toBe(join(parent, name, 'metrics.jsonl'));
      expect(run.eventsPath).toBe(join(parent, name, 'events.jsonl'));
      expect(run.checkpointsPath).toBe(join(parent, name, 'checkpoints'));
      run.release();
      expect(readdirSync(join(parent, name))).toEqual(['config.yaml']);
    }
  });

  test('may begin again where one failed before its first step', () => {
    const run = open(join(parent, 'failed'));
    run.writeConfig('name: quick\n');
    writeFileSync(run.metricsPath, '');
    run.release();
    open(run.path).release();
    expect(existsSync(join(run.path, 'lock'))).toBe(false);
  });
});

describe('a directory is refused', () => {
  const refusal = (directory: string, resume = false): string => {
    try {
      open(directory, resume).release();
    } catch (error) {
      if (error instanceof RunDirectoryRefused) return error.message;
      throw error;
    }
    return 'taken';
  };

  test('when it holds a run already', () => {
    const path = finishedRun();
    expect(refusal(path)).toBe(
      `run directory ${path}: holds a run already; continue it with --resume, or give another --run-dir`,
    );
    expect(readFileSync(join(path, 'metrics.jsonl'), 'utf8')).toBe('{"step":1}\n');
  });

  test('when it holds a checkpoint but no metrics', () => {
    const path = join(parent, 'kept');
    mkdirSync(join(path, 'checkpoints', 'step-000100.g1'), { recursive: true });
    writeFileSync(join(path, 'config.yaml'), '');
    expect(refusal(path)).toContain('holds a run already');
  });

  test('not when it holds what a launch leaves that was killed in its first moment', () => {
    const path = join(parent, 'killed');
    mkdirSync(path);
    for (const name of ['lock', 'config.yaml.new']) writeFileSync(join(path, name), '');
    expect(refusal(path)).toBe('taken');
  });

  test('when it holds files of somebody else', () => {
    writeFileSync(join(parent, 'thesis.tex'), '');
    expect(refusal(parent)).toBe(
      `run directory ${parent}: holds files that are no run; give an empty or a new directory to --run-dir`,
    );
    expect(readdirSync(parent)).toEqual(['thesis.tex']);
  });

  test.runIf(process.platform === 'linux')('when it is below what takes no folders', () => {
    // Root is told ENOENT, others EACCES.
    expect(refusal('/proc/runs/one')).toMatch(
      /^run directory \/proc\/runs\/one: cannot be made \((ENOENT|EACCES)\); give another one to --run-dir$/,
    );
  });

  test('when it is a file', () => {
    const path = join(parent, 'file');
    writeFileSync(path, '');
    expect(refusal(path)).toBe(`run directory ${path}: is a file; give a directory to --run-dir`);
  });

  test('when it is below a file', () => {
    writeFileSync(join(parent, 'file'), '');
    const path = join(parent, 'file', 'run');
    expect(refusal(path)).toBe(`run directory ${path}: is below a file; give a directory to --run-dir`);
  });

  test('when there is nothing to resume', () => {
    const path = join(parent, 'none');
    expect(refusal(path, true)).toBe(
      `run directory ${path}: holds no run to resume; name the directory of one, or leave out --resume`,
    );
    expect(existsSync(path)).toBe(false);
  });

  test('when a living process has it', () => {
    const path = finishedRun();
    writeFileSync(join(path, 'lock'), `${process.ppid}\n`);
    expect(refusal(path, true)).toBe(
      `run directory ${path}: is in use by process ${process.ppid} (${join(path, 'lock')}); wait for it, stop it, or give another --run-dir`,
    );
  });

  test('when a file is in the place of its checkpoints', () => {
    const path = join(parent, 'filed');
    mkdirSync(path);
    for (const name of ['config.yaml', 'checkpoints']) writeFileSync(join(path, name), '');
    expect(refusal(path)).toBe(
      `run directory ${path}: its folder checkpoints cannot be read (ENOTDIR); remove what is in its place, or give another --run-dir`,
    );
  });

  test('when its lock cannot be taken, whatever is in the way', () => {
    const path = finishedRun();
    mkdirSync(join(path, 'lock'));
    expect(refusal(path, true)).toBe(
      `run directory ${path}: its file lock cannot be written (EISDIR); remove what is in its place, or give another --run-dir`,
    );
    expect(readdirSync(join(path, 'lock'))).toEqual([]);
  });

  test.skipIf(process.platform === 'win32')('when one may not write there', () => {
    const path = finishedRun();
    chmodSync(parent, 0o755);
    chmodSync(path, 0o555);
    const line = withoutPrivileges(() => refusal(path, true));
    expect(line).toBe(
      `run directory ${path}: its file lock cannot be written (EACCES); give permission there, or give another --run-dir`,
    );
    chmodSync(path, 0o755);
  });

  test('when this process has it, until it is released', () => {
    const path = finishedRun();
    const run = open(path, true);
    expect(refusal(path, true)).toContain(`is in use by process ${process.pid}`);
    run.release();
    expect(refusal(path, true)).toBe('taken');
  });
});
