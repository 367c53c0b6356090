/**
 * The rows of a file, one after the other: lines of JSON or one array of it, plain or compressed with gzip. They are of one
 * kind. The file is read as a stream, so that memory does not grow with it.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { codeOf, systemCodeOf } from '../../system_error.ts';
import type { Row, RowKind } from './row.ts';
import { UnreadableRows, type RowPlace } from './row_error.ts';
import { ANY_ROWS, checkKind, rowOf, type RowFormat } from './row_kind.ts';
import { MOST_ROW_BYTES, RowLines, type RowText } from './row_lines.ts';

export interface PlacedRow {
  readonly row: Row;
  readonly place: RowPlace;
}

export interface ReadOptions {
  readonly mostRowBytes?: number;
  /** Bytes that are read at once. */
  readonly pieceBytes?: number;
  /** Told how many more bytes of the file are read, of a compressed one too. */
  readonly read?: (bytes: number) => void;
}

/** Throws `BadRow` at the first row that is wrong, or of another kind than the first, and `UnreadableRows`. */
export async function* readRows(
  path: string,
  format: RowFormat = ANY_ROWS,
  options: ReadOptions = {},
): AsyncGenerator<PlacedRow> {
  let kind: RowKind | null = format.kind;
  for await (const { line, text } of readRowTexts(path, options)) {
    const place = { path, line };
    const row = rowOf(text, format, place);
    checkKind(row, kind ?? row.kind, place);
    kind = row.kind;
    yield { row, place };
  }
}

/** Texts of the rows, not looked into. Throws `BadRow` for what cannot be a row, and `UnreadableRows`. */
export async function* readRowTexts(
  path: string,
  { mostRowBytes = MOST_ROW_BYTES, pieceBytes = 2 ** 18, read = () => undefined }: ReadOptions = {},
): AsyncGenerator<RowText> {
  const lines = new RowLines(path, mostRowBytes);
  for await (const piece of pieces(path, pieceBytes, read)) yield* lines.push(piece);
  yield* lines.end();
}

/** The bytes of a file, of a compressed one what they hold. */
async function* pieces(path: string, pieceBytes: number, read: (bytes: number) => void): AsyncGenerator<Buffer> {
  const isCompressed = await begins(path, [0x1f, 0x8b]);
  const file = createReadStream(path, { highWaterMark: pieceBytes });
  const stream = isCompressed ? file.pipe(createGunzip({ chunkSize: Math.max(64, pieceBytes) })) : file;
  file.on('error', (error) => stream.destroy(error));
  try {
    let before = 0;
    for await (const piece of stream) {
      read(file.bytesRead - before);
      before = file.bytesRead;
      if (Buffer.isBuffer(piece)) yield piece;
    }
  } catch (cause) {
    throw unreadable(path, cause);
  } finally {
    file.destroy();
    stream.destroy();
  }
}

async function begins(path: string, bytes: readonly number[]): Promise<boolean> {
  try {
    await using file = await open(path);
    const start = Buffer.alloc(bytes.length);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    return bytesRead === bytes.length && bytes.every((byte, index) => start[index] === byte);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): Error {
  const code = systemCodeOf(cause) ?? '';
  if (code === 'Z_BUF_ERROR')
    return new UnreadableRows(path, 'its compressed data ends in the middle', 'restore the file', cause);
  if (code.startsWith('Z_'))
    return new UnreadableRows(path, 'its compressed data is damaged', 'restore the file', cause);
  const remedy =
    code === 'ENOENT' ? 'correct the path' : code === 'EACCES' ? 'give permission to read it' : 'check the file';
  return new UnreadableRows(path, codeOf(cause), remedy, cause);
}
