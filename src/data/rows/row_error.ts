/**
 * What can go wrong between a file of rows and samples to train on. Each error is data: switch on `tag`. Its message is one
 * line: file and line, key, what was found, what to do.
 */

/** Where a row is. Lines count from 1. */
export interface RowPlace {
  readonly path: string;
  readonly line: number;
}

/** A row cannot be used: it is no JSON, of another kind, or its values are not what its kind has. */
export class BadRow extends Error {
  readonly tag = 'BadRow';
  readonly path: string;
  readonly line: number;
  /** The key at fault, such as `messages.1.role`; null where it is the row as a whole. */
  readonly key: string | null;
  readonly found: string;
  readonly remedy: string;
  constructor({ path, line }: RowPlace, key: string | null, found: string, remedy: string, cause?: unknown) {
    super(`${path}:${line}: ${key === null ? '' : `${key}: `}${found}; ${remedy}`, { cause });
    this.path = path;
    this.line = line;
    this.key = key;
    this.found = found;
    this.remedy = remedy;
  }
}

/** A file of rows cannot be read, or is no text. */
export class UnreadableRows extends Error {
  readonly tag = 'UnreadableRows';
  readonly path: string;
  constructor(path: string, reason: string, remedy: string, cause?: unknown) {
    super(`cannot read the rows of ${path}: ${reason}; ${remedy}`, { cause });
    this.path = path;
  }
}

/** A chat template cannot be used: it does not parse, asks for what is not supported, or its tokens are missing. */
export class BadChatTemplate extends Error {
  readonly tag = 'BadChatTemplate';
  readonly tokenizer: string;
  readonly reason: string;
  readonly remedy: string;
  constructor(tokenizer: string, reason: string, remedy: string, cause?: unknown) {
    super(`chat template of tokenizer '${tokenizer}': ${reason}; ${remedy}`, { cause });
    this.tokenizer = tokenizer;
    this.reason = reason;
    this.remedy = remedy;
  }
}

/** A value as a message shows it: short, in one line. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const digits = (_key: string, part: unknown): unknown => (typeof part === 'bigint' ? String(part) : part);
  const text = JSON.stringify(value, digits);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
