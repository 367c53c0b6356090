/**
 * Pieces become ids as a packed corpus has them: document after document, each ended by the separator. Before, a pass over
 * the same pieces without the tokenizer finds what cannot be used, since encoding a corpus may take hours.
 */
import { mebibytes, tooLong } from './document.ts';
import { TextNotEncoded } from './errors.ts';
import { textsOfPiece, type PieceText, type PlacedPiece } from './piece_texts.ts';
import { cuttings, Uncuttable, type Cutting, type PieceReader } from './pieces.ts';
import { refused, type Refusal } from './refusal.ts';
import { tokenDtype, tokensAs, type TokenIds, type Tokenizer } from './tokenizers/tokenizer.ts';

/** Encoded pieces that follow each other. */
export interface Encoded {
  readonly kind: 'encoded';
  readonly tokens: number;
  readonly documents: number;
  /** Rows whose text is empty, which are no documents. */
  readonly emptyRows: number;
  /** Bytes of UTF-8 that the tokens stand for, without the separators. */
  readonly textBytes: number;
  /** Ids as they are stored; null where they were not wanted. */
  readonly ids: Uint8Array<ArrayBuffer> | null;
}

/** The first text that cannot be encoded for what it is, not for the ids of its tokenizer; null where there is none. */
export async function checkPieces(
  pieces: readonly PlacedPiece[],
  cuts: Tokenizer['cuts'],
  reader: PieceReader,
  saw: (bytes: number) => void,
): Promise<Refusal | null> {
  for (const piece of pieces) {
    saw(piece.bytes);
    for (const found of textsOfPiece(piece)) {
      if (found.kind === 'refused') return found;
      const text = longTextOf(found, cuttings[cuts]);
      if (text === null) continue;
      try {
        for await (const _part of reader.cut(text, cuttings[cuts]));
      } catch (error) {
        return refusalOf(error, piece, found);
      }
    }
  }
  return null;
}

/** The ids of pieces, or with `keep: false` only their number. */
export async function encodePieces(
  pieces: readonly PlacedPiece[],
  tokenizer: Tokenizer,
  reader: PieceReader,
  { keep, saw }: { readonly keep: boolean; readonly saw: (bytes: number) => void },
): Promise<Encoded | Refusal> {
  const cutting = cuttings[tokenizer.cuts];
  const dtype = tokenDtype(tokenizer.vocabSize);
  const separator = tokensAs(dtype, [tokenizer.separatorId]);
  const parts: Uint8Array[] = [];
  const sum = { tokens: 0, documents: 0, emptyRows: 0, textBytes: 0 };
  const add = (ids: TokenIds): void => {
    sum.tokens += ids.length;
    if (keep) parts.push(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  };
  const endDocument = (): void => {
    add(separator);
    sum.documents++;
  };
  for (const piece of pieces) {
    saw(piece.bytes);
    for (const found of textsOfPiece(piece)) {
      if (found.kind === 'refused') return found;
      if (found.kind === 'row' && found.text === '') {
        sum.emptyRows++;
        continue;
      }
      sum.textBytes += found.kind === 'part' ? found.utf8.length : Buffer.byteLength(found.text);
      const long = longTextOf(found, cutting);
      try {
        if (long === null) {
          const ids = found.kind === 'part' ? tokenizer.encodeUtf8(found.utf8) : tokenizer.encode(found.text);
          // Most rows are small, and a turn of the event loop's queue for each would be felt.
          add(tokensAs(dtype, ids instanceof Promise ? await ids : ids));
        } else {
          const encode = async (part: Buffer) => tokensAs(dtype, await tokenizer.encodeUtf8(Buffer.from(part)));
          for await (const part of reader.cut(long, cutting)) {
            saw(0);
            add(await encode(part));
          }
        }
      } catch (error) {
        return refusalOf(error, piece, found);
      }
      if (found.kind === 'row') endDocument();
    }
    if (piece.isLast && piece.format !== 'jsonl') endDocument();
  }
  return { kind: 'encoded', ...sum, ids: keep ? joined(parts) : null };
}

/** In memory of their own, which can be handed to another thread. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The text of a row or of strings that is too large to be encoded at once. */
function longTextOf(found: PieceText, { target }: Cutting): Buffer | null {
  return found.kind === 'part' || Buffer.byteLength(found.text) <= target ? null : Buffer.from(found.text);
}

/** The refusal for what a text is; throws what is none. */
function refusalOf(error: unknown, { path, format }: PlacedPiece, found: PieceText): Refusal {
  const line = found.kind === 'row' ? found.line : null;
  if (error instanceof Uncuttable) {
    if (line === null) return tooLong(path, error.most, 'text', 1);
    const reason = `its text has more than ${mebibytes(error.most)}, which this tokenizer encodes as a whole`;
    return refused(path, reason, 'make several rows of it, or leave it out', line);
  }
  if (!(error instanceof TextNotEncoded)) throw error;
  const what = format === 'jsonl' ? 'row' : 'file';
  const remedy = `give the tokenizer a token for what it does not know, or exclude the ${what}`;
  return refused(path, error.reason, remedy, line);
}
