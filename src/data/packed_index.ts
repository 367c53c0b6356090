/**
 * `index.json` beside a packed token stream: everything a node must know to use the stream, and to tell whether it is
 * the one it was asked for. It is written last, so a folder with an index is complete.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { FoundCorpus } from './corpus.ts';
import { HELD_OUT_RULE } from './held_out.ts';
import type { Tokenizer } from './tokenizer.ts';

export const INDEX_FILE = 'index.json';

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const packedIndexSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  /** Names the content: tokenizer, held-out rule and documents. */
  digest: sha256,
  tokenizer: z.string(),
  vocabSize: count,
  separatorId: count,
  dtype: z.enum(['u8', 'u16', 'u32']),
  tokenCount: count,
  documentCount: count,
  /** Bytes of the source documents. */
  bytes: count,
  filesFound: count,
  skipped: z.strictObject({ empty: count, tooLarge: count, notUtf8: count, duplicate: count, notAFile: count }),
  heldOutFraction: z.number(),
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

/** The digest of a corpus: sha256 over name, format, tokenizer, held-out rule and fraction, and every file's name and digest. */
export function corpusDigest(found: FoundCorpus, tokenizer: Tokenizer, heldOutFraction: number): string {
  const { name, format } = found.spec;
  const head = ['troupe-corpus/1', name, format, tokenizer.identity, HELD_OUT_RULE, heldOutFraction];
  const hash = createHash('sha256').update(JSON.stringify(head));
  for (const file of found.files) hash.update(JSON.stringify([file.name, file.sha256]));
  return hash.digest('hex');
}
