/**
 * The texts in a piece of a file, as its format says: the piece itself, the strings of a JSON document, or a text a row. This is
 * where threads read a file again after it was examined, so that what has changed since is refused.
 */
import { crc32 } from 'node:zlib';
import { withoutMark } from './byte_order_mark.ts';
import type { FileFormat } from './corpus_format.ts';
import { readPart, unreadable, type Piece } from './document.ts';
import { textsOf, type RowText } from './json_rows.ts';
import { jsonStrings } from './json_strings.ts';
import { refused, type Refusal } from './refusal.ts';

/** A piece of a file, and where it lies. */
export interface PlacedPiece extends Piece {
  readonly path: string;
  readonly format: FileFormat;
  /** Key of the text in a row. */
  readonly textKey: string;
  /** Place of its first byte in the file. */
  readonly begin: number;
  /** Its bytes, where the file is compressed: only its beginning can be found in it. */
  readonly bytesOfGzip: Uint8Array<ArrayBuffer> | null;
  readonly isMarked: boolean;
  /** Whether the file ends with it: then a separator follows, if the file is a document. */
  readonly isLast: boolean;
}

export type PieceText =
  /** UTF-8 of a document, all or a part of it; its ids are those that it has in the whole. */
  | { readonly kind: 'part'; readonly utf8: Buffer }
  /** A document. */
  | { readonly kind: 'whole'; readonly text: string }
  | RowText;

/** In order, up to a refusal: nothing follows it. */
export function* textsOfPiece(piece: PlacedPiece): Generator<PieceText | Refusal, void, undefined> {
  const { path, format, textKey, firstLine } = piece;
  const bytes = bytesOf(piece);
  if (!Buffer.isBuffer(bytes)) return yield bytes;
  const utf8 = piece.isMarked ? withoutMark(bytes) : bytes;
  switch (format) {
    case 'text':
      return yield { kind: 'part', utf8 };
    case 'json_strings': {
      const text = jsonStrings(path, utf8);
      return yield typeof text === 'string' ? { kind: 'whole', text } : text;
    }
    case 'jsonl':
      return yield* textsOf(utf8, { path, firstLine, textKey });
  }
}

function bytesOf({ path, begin, bytes, crc32: wanted, bytesOfGzip }: PlacedPiece): Buffer | Refusal {
  try {
    const found = bytesOfGzip === null ? readPart(path, begin, bytes) : asBuffer(bytesOfGzip);
    if (found.length === bytes && crc32(found) === wanted) return found;
  } catch (error) {
    const found = unreadable(path, error);
    if (found.kind === 'refused') return found;
  }
  return changed(path);
}

const asBuffer = ({ buffer, byteOffset, length }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, length);

/** The refusal of a file that is no longer what was examined. */
export const changed = (path: string): Refusal => refused(path, 'it changed while it was being packed', 'launch again');
