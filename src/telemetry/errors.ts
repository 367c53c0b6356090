/**
 * The errors of telemetry. Each says what, where and what to do in one line; `exitCode` is what the command line ends
 * with.
 */
import { codeOf, diskRemedy } from '../system_error.ts';

/** A number that is no number: writing it would hide a broken run in a file that still looks well. */
export class NonFiniteMetric extends Error {
  readonly tag = 'NonFiniteMetric';
  readonly exitCode = 1;

  constructor(step: number, key: string, value: number) {
    super(`step ${step}: metric ${key} is ${value}, which metrics.jsonl cannot hold; lower optimizer.lr and run again`);
    this.name = 'NonFiniteMetric';
  }
}

/** A step that was logged already, or a step backwards: the log was not cut to the step that a run resumed from. */
export class MetricsOutOfOrder extends Error {
  readonly tag = 'MetricsOutOfOrder';
  readonly exitCode = 1;

  constructor(path: string, step: number, lastStep: number) {
    super(`${path}: step ${step} follows step ${lastStep}; cut the log with truncateAfter before replaying steps`);
    this.name = 'MetricsOutOfOrder';
  }
}

/** A log that cannot be read: some line before the last is not JSON. */
export class DamagedLog extends Error {
  readonly tag = 'DamagedLog';
  readonly exitCode = 1;

  constructor(path: string, line: number) {
    super(`${path}:${line}: not a line of metrics; repair or remove the file, or give another --run-dir`);
    this.name = 'DamagedLog';
  }
}

/** The file system refused a log of a run: disk full, no permission. What is in it stays. */
export class LogIo extends Error {
  readonly tag = 'LogIo';
  readonly exitCode = 1;

  constructor(path: string, what: 'read' | 'written', cause: unknown) {
    const code = codeOf(cause);
    super(`${path}: cannot be ${what} (${code}); ${diskRemedy(code)}, then continue with --resume`, { cause });
    this.name = 'LogIo';
  }
}

/** A run directory that cannot be taken. */
export class RunDirectoryRefused extends Error {
  readonly tag = 'RunDirectoryRefused';
  readonly exitCode = 2;

  constructor(directory: string, reason: string) {
    super(`run directory ${directory}: ${reason}`);
    this.name = 'RunDirectoryRefused';
  }
}

/** The directory of a run that is under way is not there any more; what was in it cannot be gone on from here. */
export class RunDirectoryGone extends Error {
  readonly tag = 'RunDirectoryGone';
  readonly exitCode = 1;

  constructor(directory: string) {
    super(
      `run directory ${directory}: is gone, removed or renamed while the run wrote to it; where it was renamed, resume it there, else start a new run`,
    );
    this.name = 'RunDirectoryGone';
  }
}
