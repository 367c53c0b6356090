/**
 * What can go wrong between the state of a run and a disk. Each error is data: switch on `tag`. Its message is one line
 * that says what, where, and what to do; none of them ever costs a checkpoint that was complete before.
 */
import { diskRemedy, systemCodeOf } from '../system_error.ts';

/** A file is not what a checkpoint needs it to be: cut short, changed, or not of its format. */
export class DamagedCheckpoint extends Error {
  readonly tag = 'DamagedCheckpoint';
  readonly path: string;
  readonly reason: string;
  constructor(path: string, reason: string, remedy: string, cause?: unknown) {
    super(`damaged checkpoint: ${path}: ${reason}; ${remedy}`, { cause });
    this.path = path;
    this.reason = reason;
  }
}

/** The file system refused: disk full, no permission, gone. What was complete before is untouched. */
export class CheckpointIo extends Error {
  readonly tag = 'CheckpointIo';
  readonly path: string;
  /** The system's code, such as `ENOSPC`; null where there is none. */
  readonly code: string | null;
  /** Where the one who writes knows: another way to get space on a full disk, and how to go on once it is mended. */
  constructor(path: string, cause: unknown, { forSpace = '', then = '' } = {}) {
    const code = systemCodeOf(cause);
    const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
    super(`checkpoint ${path}: ${reason}; ${diskRemedy(code, forSpace)}${then}`, { cause });
    this.path = path;
    this.code = code;
  }

  /** The disk, or somebody's share of it, is full. */
  get isFull(): boolean {
    return this.code === 'ENOSPC' || this.code === 'EDQUOT';
  }
}

/** A checkpoint of this step and generation is there already, complete or being written; nothing is overwritten. */
export class CheckpointExists extends Error {
  readonly tag = 'CheckpointExists';
  readonly path: string;
  constructor(path: string) {
    super(`checkpoint ${path} exists already; raise the generation or remove it, none is ever overwritten`);
    this.path = path;
  }
}

/** No checkpoint can be opened: none is there, or each was refused. */
export class NoCheckpoint extends Error {
  readonly tag = 'NoCheckpoint';
  readonly path: string;
  readonly exitCode: 1 | 2;
  /** `exitCode`: 2 where it is no place of checkpoints. */
  constructor(path: string, reason: string, exitCode: 1 | 2 = 1) {
    super(`no checkpoint to open in ${path}: ${reason}; start a new run or name another directory`);
    this.path = path;
    this.exitCode = exitCode;
  }
}

/** A tensor was asked for that the checkpoint does not hold, or is given in a form that cannot be stored. */
export class BadTensor extends Error {
  readonly tag = 'BadTensor';
  readonly tensor: string;
  constructor(tensor: string, where: string, reason: string, remedy: string) {
    super(`tensor '${tensor}' in ${where}: ${reason}; ${remedy}`);
    this.tensor = tensor;
  }
}

/** A folder is not one that a model lies in as Hugging Face lays it out: a file is missing, no JSON, cut short, or names another that is not there. */
export class BadHfFolder extends Error {
  readonly tag = 'BadHfFolder';
  readonly exitCode = 2;
  /** The folder, or the file in it. */
  readonly path: string;
  constructor(path: string, reason: string, remedy: string, cause?: unknown) {
    super(`${path}: ${reason}; ${remedy}`, { cause });
    this.path = path;
  }
}
