/**
 * `index.json` beside a packed token stream: everything a node must know to use the stream, and to tell whether it is
 * the one it was asked for. It is written last, so a folder with an index is complete.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { FoundCorpus } from './found_corpus.ts';
import { BLOCK_TOKENS, HELD_OUT_RULE } from './held_out.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

export const INDEX_FILE = 'index.json';

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const packedIndexSchema = z.strictObject({
  version: z.literal(2),
  name: z.string(),
  /** Names the content: tokenizer, held-out rule and documents. */
  digest: sha256,
  tokenizer: z.string(),
  vocabSize: count,
  separatorId: count,
  dtype: z.enum(['u8', 'u16', 'u32']),
  tokenCount: count,
  /** Files that are one document, and rows. */
  documentCount: count,
  /** Rows whose text is empty, which are no documents. */
  emptyRows: count,
  /** Bytes of the files, unpacked. */
  bytes: count,
  /** Bytes of UTF-8 that the tokens stand for, without the separators: what bits per byte are counted by. */
  textBytes: count,
  filesFound: count,
  skipped: z.strictObject({
    empty: count,
    tooLarge: count,
    notUtf8: count,
    duplicate: count,
    notAFile: count,
    ownOutput: count,
  }),
  heldOutFraction: z.number(),
  /** Of the blocks of which some are held out. */
  blockTokens: z.int().min(1),
  /** Token ranges kept for evaluation. */
  heldOut: z.array(z.strictObject({ begin: count, end: count })),
  /** Of the stream file. */
  sha256,
});

export type PackedIndex = z.output<typeof packedIndexSchema>;

/** File name of a corpus' stream; a corpus may be named with any characters. */
export function streamFile(name: string): string {
  return `${encodeURIComponent(name)}.bin`;
}

/** What decides which part of a corpus is held out. */
export interface HeldOutOptions {
  /** Share of the corpus to keep for evaluation, in [0, 1). */
  readonly heldOutFraction: number;
  /** See `blockTokensFor`. */
  readonly blockTokens: number;
}

/**
 * The digest of a corpus: sha256 over name, format, tokenizer, held-out rule and fraction, and every file's name and digest.
 * What is not as it usually is adds to that: blocks of another length, a byte order mark that is no part of the text, and of
 * rows the key of their text. So a corpus of texts has the digest that it had before there were rows.
 */
export function corpusDigest(found: FoundCorpus, tokenizer: Tokenizer, options: HeldOutOptions): string {
  const { name, textKey } = found.spec;
  const format = found.spec.format === 'json_strings' ? 'json_strings' : 'text';
  const { heldOutFraction, blockTokens } = options;
  const blocks = blockTokens === BLOCK_TOKENS ? [] : [blockTokens];
  const head = ['troupe-corpus/1', name, format, tokenizer.identity, HELD_OUT_RULE, heldOutFraction, ...blocks];
  const hash = createHash('sha256').update(JSON.stringify(head));
  for (const file of found.files) {
    const rows = file.format === 'jsonl' ? ['jsonl', textKey] : [];
    const mark = file.isMarked && file.format === 'text' ? ['unmarked'] : [];
    hash.update(JSON.stringify([file.name, file.sha256, ...rows, ...mark]));
  }
  return hash.digest('hex');
}
