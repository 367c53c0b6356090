/**
 * What packing has its threads do: find files, examine them, encode pieces of them, hash a stream. A task is a function of
 * its argument alone and answers with data, what stops it too; piscina calls the functions of this module by their names.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { matchedFiles } from './matched_files.ts';
import {
  examine,
  readPiece,
  refused,
  tooLong,
  unreadable,
  type CorpusFormat,
  type Examination,
  type Examined,
  type Piece,
  type Refusal,
} from './document.ts';
import { BadTokenizer, DamagedPack, TextNotEncoded } from './errors.ts';
import { withoutMark } from './byte_order_mark.ts';
import { jsonStrings } from './json_strings.ts';
import { loadTokenizer } from './tokenizers/load_tokenizer.ts';
import { PackedCorpus } from './packed_corpus.ts';
import { cuttings, PieceReader, Uncuttable } from './pieces.ts';
import { count, type SharedCount } from './shared_count.ts';
import { answering } from './task_fault.ts';
import { tokenDtype, tokensAs, type TokenIds, type Tokenizer } from './tokenizers/tokenizer.ts';

export interface ExamineTask extends Examination {
  readonly paths: readonly string[];
  readonly shared: SharedCount;
}

/** A piece of a document, and where it lies. */
export interface PlacedPiece extends Piece {
  readonly path: string;
  readonly begin: number;
  readonly isMarked: boolean;
  /** Whether the document ends with it: then the separator follows. */
  readonly isLast: boolean;
}

export interface EncodeTask {
  readonly pieces: readonly PlacedPiece[];
  readonly format: CorpusFormat;
  /** Opened in every thread; another identity is another file by now. */
  readonly tokenizer: Pick<Tokenizer, 'source' | 'identity'>;
  /** Whether ids are wanted, or only how many. */
  readonly keep: boolean;
  readonly shared: SharedCount;
}

export interface Encoded {
  readonly kind: 'encoded';
  readonly tokens: number;
  /** Ids as they are stored; null where they were not wanted. */
  readonly ids: Uint8Array | null;
}

const reader = new PieceReader();
let opened: Tokenizer | null = null;

export const find = answering(matchedFiles);
export const examineAll = answering(examineEach);
export const encode = answering(encodePieces);
export const hash = answering(hashFile);
export const isWhole = answering(isWholePack);

function examineEach({ paths, shared, ...examination }: ExamineTask): Examined[] {
  return paths.map((path) => examine(path, examination, reader, (bytes) => count(shared, bytes)));
}

/** The ids of pieces that follow each other, with the separators between documents. */
async function encodePieces({ pieces, format, tokenizer, keep, shared }: EncodeTask): Promise<Encoded | Refusal> {
  const inner = tokenizerOf(tokenizer);
  const dtype = tokenDtype(inner.vocabSize);
  const separator = tokensAs(dtype, [inner.separatorId]);
  const parts: Uint8Array[] = [];
  let tokens = 0;
  const add = (ids: TokenIds): void => {
    tokens += ids.length;
    if (keep) parts.push(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  };
  for (const piece of pieces) {
    count(shared, piece.bytes);
    const text = textOf(piece, format);
    if (!Buffer.isBuffer(text)) return text;
    try {
      // The strings of a JSON file are encoded here as a file of their text would be.
      const cutting = cuttings[inner.cuts];
      if (format === 'text') add(tokensAs(dtype, await inner.encodeUtf8(text)));
      else
        for (const part of reader.cut(text, cutting)) add(tokensAs(dtype, await inner.encodeUtf8(Buffer.from(part))));
    } catch (error) {
      if (error instanceof Uncuttable) return tooLong(piece.path, error.most, 'text');
      if (!(error instanceof TextNotEncoded)) throw error;
      return refused(
        piece.path,
        error.reason,
        'give the tokenizer a token for what it does not know, or exclude the file',
      );
    }
    if (piece.isLast) add(separator);
  }
  return { kind: 'encoded', tokens, ids: keep ? Buffer.concat(parts) : null };
}

/** sha256 of a file. */
async function hashFile({ path, shared }: { path: string; shared: SharedCount }): Promise<string> {
  const sha256 = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    count(shared, 0);
    sha256.update(chunk as Buffer);
  }
  return sha256.digest('hex');
}

/** Whether the packed corpus in a folder is what its index says. */
function isWholePack({ folder, shared }: { folder: string; shared: SharedCount }): boolean {
  try {
    PackedCorpus.open(folder, () => count(shared, 0));
    return true;
  } catch (error) {
    if (error instanceof DamagedPack) return false;
    throw error;
  }
}

function tokenizerOf({ source, identity }: EncodeTask['tokenizer']): Tokenizer {
  if (opened?.source !== source) opened = loadTokenizer(source, '/');
  if (opened.identity !== identity)
    throw new BadTokenizer(source, 'it changed while texts were packed', 'launch again');
  return opened;
}

function textOf(piece: PlacedPiece, format: CorpusFormat): Buffer | Refusal {
  const { path, begin, isMarked } = piece;
  let bytes: Buffer | null;
  try {
    bytes = readPiece(path, begin, piece);
  } catch (error) {
    const found = unreadable(path, error);
    if (found.kind === 'refused') return found;
    bytes = null;
  }
  if (bytes === null) return refused(path, 'it changed while it was being packed', 'launch again');
  const text = isMarked ? withoutMark(bytes) : bytes;
  return format === 'text' ? text : jsonStrings(path, text);
}
