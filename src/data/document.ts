/**
 * Files of a corpus, a document each or one a row: whether a file can be used, and its bytes again. Runs on threads, so what
 * is wrong with a file comes back as data; the launcher makes an error of it.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { codeOf } from '../system_error.ts';
import { isMarked, isMarkedUtf16, MARK_BYTES } from './byte_order_mark.ts';
import { formatOfFile, isGzip, type CorpusFormat, type FileFormat } from './corpus_format.ts';
import { BadGzip } from './gzip_file.ts';
import { cuttings, TooLarge, Uncuttable, type PieceReader } from './pieces.ts';
import { refused, type Refusal } from './refusal.ts';
import { isBlankText, lineCount, linesOf } from './text_lines.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';
import { Utf8Check } from './utf8_check.ts';

/** Why a file is left out. `notAFile`: gone when read, or a link to a folder. */
export type LeftOut = 'empty' | 'tooLarge' | 'notUtf8' | 'notAFile';

/** A part of a file that can be encoded by itself. */
export interface Piece {
  readonly bytes: number;
  /** Shows whether it has changed since; what it is, the digest of the file says. */
  readonly crc32: number;
  /** Of rows, the number of its first line, from 1. */
  readonly firstLine: number;
}

/** A file that goes into the stream. Of a compressed one all is said of the text in it. */
export interface Document {
  readonly kind: 'document';
  readonly format: FileFormat;
  readonly bytes: number;
  readonly sha256: string;
  /** Whether it begins with a byte order mark, which is no part of its text. */
  readonly isMarked: boolean;
  /** In order; together they are the text. Rows are cut between lines. */
  readonly pieces: readonly Piece[];
}

export type Examined = Document | Refusal | { readonly kind: 'leftOut'; readonly reason: LeftOut };

export interface Examination {
  readonly format: CorpusFormat;
  /** Of a file that is one document. */
  readonly maxFileBytes: number;
  readonly cuts: Tokenizer['cuts'];
}

/** A megabyte tells whether it is text of another kind. */
const START_BYTES = 2 ** 20;

/** Reads a file once; `saw` is told of every piece's bytes and may throw to end it. */
export async function examine(
  path: string,
  { format: formatOfCorpus, maxFileBytes, cuts }: Examination,
  reader: PieceReader,
  saw: (bytes: number) => void,
): Promise<Examined> {
  const format = formatOfFile(path, formatOfCorpus);
  const cutting = cuttings[format === 'text' ? cuts : format === 'jsonl' ? 'rows' : 'json'];
  const mostBytes = format === 'jsonl' ? Infinity : maxFileBytes;
  let firstLine = 1;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return leftOut('notAFile');
    if (!isGzip(path) && stat.size > mostBytes) return leftOut('tooLarge');
    const whole = createHash('sha256');
    const utf8 = new Utf8Check();
    const pieces: Piece[] = [];
    let bytes = 0;
    let marked = false;
    let isEmpty = true;
    for await (const piece of reader.read(path, cutting, mostBytes)) {
      saw(piece.length);
      if (bytes === 0) marked = isMarked(piece);
      if (bytes === 0 && isMarkedUtf16(piece.subarray(0, START_BYTES))) {
        return refused(path, 'it is UTF-16, not UTF-8 text', 'save it as UTF-8 or exclude it');
      }
      if (!utf8.accepts(piece)) return format === 'jsonl' ? notUtf8(path, piece, firstLine) : leftOut('notUtf8');
      const text = bytes === 0 && marked ? piece.subarray(MARK_BYTES) : piece;
      isEmpty &&= format === 'jsonl' ? isBlankText(text) : text.length === 0;
      whole.update(piece);
      pieces.push({ bytes: piece.length, crc32: crc32(piece), firstLine });
      bytes += piece.length;
      if (format === 'jsonl') firstLine += lineCount(piece);
    }
    if (!utf8.isWhole) return format === 'jsonl' ? notUtf8(path, null, firstLine) : leftOut('notUtf8');
    if (isEmpty) return leftOut('empty');
    return { kind: 'document', format, bytes, sha256: whole.digest('hex'), isMarked: marked, pieces };
  } catch (error) {
    if (error instanceof TooLarge) return leftOut('tooLarge');
    if (error instanceof BadGzip)
      return refused(path, `it is no whole gzip file: ${error.message}`, 'restore or exclude it');
    if (error instanceof Uncuttable) return tooLong(path, error.most, format, firstLine);
    return unreadable(path, error);
  }
}

/** The refusal of rows of which one is not UTF-8: among these lines, or the last. Half a file of them would go unnoticed. */
function notUtf8(path: string, lines: Buffer | null, firstLine: number): Refusal {
  const at = lines === null ? 0 : Array.from(linesOf(lines)).findIndex((line) => !isUtf8(line));
  return refused(path, 'it is not UTF-8', 'save the file as UTF-8 or exclude it', firstLine + at);
}

/** Bytes of a file; fewer where it ends before them. Throws what the file system says. */
export function readPart(path: string, begin: number, bytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const part = Buffer.allocUnsafe(bytes);
    let held = 0;
    for (let got = -1; got !== 0 && held < bytes; held += got) {
      got = readSync(file, part, held, bytes - held, begin + held);
    }
    return part.subarray(0, held);
  } finally {
    closeSync(file);
  }
}

/** The refusal of a text that its tokenizer, or JSON, needs whole: of a file, or of a row at a line. */
export function tooLong(path: string, most: number, format: FileFormat, line: number): Refusal {
  const limit = mebibytes(most);
  if (format === 'jsonl') {
    return refused(path, `the line has more than ${limit}`, 'make several rows of it, or leave it out', line);
  }
  const size = isGzip(path) ? `unpacked it has more than ${limit}` : `it has ${mebibytes(sizeOf(path))}`;
  const whole = format === 'text' ? 'this tokenizer encodes' : "format 'json_strings' reads";
  const reason = `${size}, and ${whole} a text as a whole, up to ${limit}`;
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

const leftOut = (reason: LeftOut): Examined => ({ kind: 'leftOut', reason });

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
