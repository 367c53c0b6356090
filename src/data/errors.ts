/**
 * What can go wrong between files on disk and a batch of tokens. Each error is data: switch on `tag`. Its message is one
 * line that says what was wrong, where, and what to do about it.
 */
import type { z } from 'zod';
import { codeOf, diskRemedy } from '../system_error.ts';
import type { Refusal } from './refusal.ts';

/** No document is left for a corpus: its globs match no file, or every file was skipped. */
export class EmptyCorpus extends Error {
  readonly tag = 'EmptyCorpus';
  readonly corpus: string;
  constructor(corpus: string, reason: string, remedy: string) {
    super(`corpus '${corpus}' is empty: ${reason}; ${remedy}`);
    this.corpus = corpus;
  }
}

/** A file that belongs to a corpus cannot be read, or is not in the format that the corpus declares. */
export class UnreadableFile extends Error {
  readonly tag = 'UnreadableFile';
  readonly path: string;
  /** From 1; null where the file as a whole is meant. */
  readonly line: number | null;
  constructor(corpus: string, { path, line, reason, remedy }: Omit<Refusal, 'kind'>) {
    super(`corpus '${corpus}': cannot use ${line === null ? path : `${path}:${line}`}: ${reason}; ${remedy}`);
    this.path = path;
    this.line = line;
  }
}

/** A tokenizer cannot be loaded, or lacks something that packing needs. */
export class BadTokenizer extends Error {
  readonly tag = 'BadTokenizer';
  readonly tokenizer: string;
  readonly reason: string;
  readonly remedy: string;
  constructor(tokenizer: string, reason: string, remedy: string, cause?: unknown) {
    super(`tokenizer '${tokenizer}': ${reason}; ${remedy}`, { cause });
    this.tokenizer = tokenizer;
    this.reason = reason;
    this.remedy = remedy;
  }
}

/** A tokenizer has no ids for a text. Packing says in which file it is, as `UnreadableFile`. */
export class TextNotEncoded extends Error {
  readonly tag = 'TextNotEncoded';
  readonly reason: string;
  constructor(tokenizer: string, path: string, text: string, cause: unknown) {
    const line = cause instanceof Error ? cause.message : String(cause);
    const start = JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
    const reason = `${path} gives no ids for ${start}: ${line}`;
    super(`tokenizer '${tokenizer}': ${reason}; give it a token for what it does not know`, { cause });
    this.reason = reason;
  }
}

/** A packed corpus on disk is not what its index says it is. */
export class DamagedPack extends Error {
  readonly tag = 'DamagedPack';
  readonly path: string;
  constructor(path: string, reason: string, cause?: unknown) {
    super(`packed corpus ${path}: ${reason}; remove that folder and launch again, it is packed anew`, { cause });
    this.path = path;
  }
}

/** The packed corpora cannot be written (disk full, no permission). */
export class PackNotWritten extends Error {
  readonly tag = 'PackNotWritten';
  readonly path: string;
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const line = `cannot write the packed corpus below ${path}: ${reason}`;
    super(`${line}; ${diskRemedy(codeOf(cause))}, or set data.cache_dir to another folder`, { cause });
    this.path = path;
  }
}

/** A blend cannot give what is asked of it: weights, vocabularies, window length or batch shape do not fit. */
export class BadBlend extends Error {
  readonly tag = 'BadBlend';
  constructor(reason: string, remedy: string) {
    super(`data blend: ${reason}; ${remedy}`);
  }
}

/** What is wrong with a file first of all: `version: Invalid input: expected 1`. */
export function firstIssue({ issues: [{ path, message }] }: z.ZodError): string {
  return `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`;
}
