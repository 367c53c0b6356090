/**
 * `index.json` beside packed samples: what a node must know to use them, and to tell whether they are those it was asked for. It
 * is written last, so a folder with an index is complete.
 */
import { z } from 'zod';

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Training samples come first, then those that are held out. */
const partSchema = z.strictObject({ samples: count, sequences: count });

export const rowsIndexSchema = z.strictObject({
  version: z.literal(1),
  kind: z.enum(['text', 'chat', 'attributes']),
  name: z.string(),
  /** Names the content: files, tokenizer, template, and how samples are made. */
  digest: sha256,
  tokenizer: z.string(),
  vocabSize: count,
  dtype: z.enum(['u8', 'u16', 'u32']),
  sequenceLength: z.int().min(1),
  /** Labels of a sample; 0 where it has none. */
  labels: count,
  train: partSchema,
  heldOut: partSchema,
  rows: count,
  truncated: count,
  dropped: count,
  tokens: count,
  trainedTokens: count,
  /** Rows whose turns had to be found by their content. */
  foundByContent: count,
  /** Of the files beside it, by name. */
  sha256: z.record(z.string(), sha256),
});
export type RowsIndex = z.output<typeof rowsIndexSchema>;

/** Ids of all samples, one behind the other; 1 for each that is a target, u8; and what there is to know of each sample. */
export const rowsFiles = {
  tokens: 'tokens.bin',
  trained: 'trained.bin',
  samples: 'samples.bin',
  starts: 'starts.bin',
} as const;

/**
 * Words (u32, little-endian) of a sample in `samples.bin`: where its tokens begin, low and high, how many they are, how many of them
 * are targets; then its labels, f32. `starts.bin` has, for each sequence, the number of its first sample, and at the end that of all.
 */
export const SAMPLE_WORDS = 4;
