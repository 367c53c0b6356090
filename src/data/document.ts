/**
 * Documents of a corpus, one file each: whether a file is one, and the text in it again. Runs on threads, so what is wrong
 * with a file comes back as data; the launcher makes an error of it.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { codeOf } from '../system_error.ts';
import { isMarked, isMarkedUtf16, MARK_BYTES } from './byte_order_mark.ts';
import { cuttings, Uncuttable, type PieceReader } from './pieces.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';
import { Utf8Check } from './utf8_check.ts';

/** `text`: a file is a document. `json_strings`: all string values of a JSON file, joined by newlines, are one. */
export type CorpusFormat = 'text' | 'json_strings';

/** Why a file is left out. `notAFile`: gone when read, or a link to a folder. */
export type LeftOut = 'empty' | 'tooLarge' | 'notUtf8' | 'notAFile';

/** A part of a file that can be encoded by itself. */
export interface Piece {
  readonly bytes: number;
  /** Shows whether it has changed since; what it is, the digest of the file says. */
  readonly crc32: number;
}

/** A file that goes into the stream. */
export interface Document {
  readonly kind: 'document';
  readonly bytes: number;
  readonly sha256: string;
  /** Whether it begins with a byte order mark, which is no part of its text. */
  readonly isMarked: boolean;
  /** In order; together they are the file. */
  readonly pieces: readonly Piece[];
}

/** What a launch is refused with for a file's sake. */
export interface Refusal {
  readonly kind: 'refused';
  readonly path: string;
  readonly reason: string;
  readonly remedy: string;
}

export type Examined = Document | Refusal | { readonly kind: 'leftOut'; readonly reason: LeftOut };

export interface Examination {
  readonly format: CorpusFormat;
  readonly maxFileBytes: number;
  readonly cuts: Tokenizer['cuts'];
}

/** A megabyte tells whether it is text of another kind. */
const START_BYTES = 2 ** 20;

/** Reads a file once; `saw` is told of every piece's bytes and may throw to end it. */
export function examine(
  path: string,
  { format, maxFileBytes, cuts }: Examination,
  reader: PieceReader,
  saw: (bytes: number) => void,
): Examined {
  const cutting = cuttings[format === 'text' ? cuts : 'json'];
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return leftOut('notAFile');
    if (stat.size > maxFileBytes) return leftOut('tooLarge');
    const whole = createHash('sha256');
    const utf8 = new Utf8Check();
    const pieces: Piece[] = [];
    let bytes = 0;
    let marked = false;
    for (const piece of reader.read(path, cutting)) {
      saw(piece.length);
      if (bytes === 0) marked = isMarked(piece);
      if (bytes === 0 && isMarkedUtf16(piece.subarray(0, START_BYTES))) {
        return refused(path, 'it is UTF-16, not UTF-8 text', 'save it as UTF-8 or exclude it');
      }
      if (!utf8.accepts(piece)) return leftOut('notUtf8');
      whole.update(piece);
      pieces.push({ bytes: piece.length, crc32: crc32(piece) });
      bytes += piece.length;
    }
    if (!utf8.isWhole) return leftOut('notUtf8');
    if (bytes === (marked ? MARK_BYTES : 0)) return leftOut('empty');
    return { kind: 'document', bytes, sha256: whole.digest('hex'), isMarked: marked, pieces };
  } catch (error) {
    if (error instanceof Uncuttable) return tooLong(path, error.most, format);
    return unreadable(path, error);
  }
}

/** Reads a piece of a found file again; null where it is not what it was. Throws what the file system says. */
export function readPiece(path: string, begin: number, piece: Piece): Buffer | null {
  const file = openSync(path, 'r');
  try {
    const text = Buffer.allocUnsafe(piece.bytes);
    let held = 0;
    for (let got = -1; got !== 0 && held < text.length; held += got) {
      got = readSync(file, text, held, text.length - held, begin + held);
    }
    return held === text.length && crc32(text) === piece.crc32 ? text : null;
  } finally {
    closeSync(file);
  }
}

/** The refusal of a text that its tokenizer, or JSON, needs whole. */
export function tooLong(path: string, most: number, format: CorpusFormat): Refusal {
  const whole = format === 'text' ? 'this tokenizer encodes' : "format 'json_strings' reads";
  const reason = `it has ${mebibytes(sizeOf(path))}, and ${whole} a text as a whole, up to ${mebibytes(most)}`;
  return refused(path, reason, 'cut it into smaller files, or lower max_file_bytes to leave it out');
}

/** What the file system says of a file that was there. */
export function unreadable(path: string, error: unknown): Examined {
  const code = codeOf(error);
  if (code === 'ENOENT') return leftOut('notAFile');
  // An error without a code is none of the file system: `saw` has ended it, or it is a bug.
  if (!/^E[A-Z0-9]+$/.test(code)) throw error;
  return refused(path, error instanceof Error ? error.message : code, 'give read permission or exclude it');
}

export const refused = (path: string, reason: string, remedy: string): Refusal => ({
  kind: 'refused',
  path,
  reason,
  remedy,
});

const leftOut = (reason: LeftOut): Examined => ({ kind: 'leftOut', reason });

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
