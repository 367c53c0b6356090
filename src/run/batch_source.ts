/**
 * A batch source says where the batches of a run come from, as plain data that crosses a thread: the folders of packed
 * corpora and how they are blended. Every worker opens them itself; batches are never sent.
 */
import {
  blendDigest,
  Draws,
  HeldOutSequences,
  heldOutRows,
  heldOutText,
  openPacked,
  readTokenBytes,
  PackedCorpus,
  rowSequences,
  textSequences,
  type PackedRows,
  type SequenceSource,
} from '../data/index.ts';
import { globalMicrobatchesOf, type Topology } from '../topology/index.ts';
import { z } from 'zod';
import { Batches } from './batches.ts';

export const batchSourceSchema = z.object({
  /** The folder of each corpus of the blend, in its order. */
  folders: z.array(z.string()),
  weights: z.array(z.number()),
  /** Digest of the blend: whoever opens another one would train on other text. */
  digest: z.string(),
  /** Bytes of text by id, in a file. */
  tokenBytes: z.object({ path: z.string(), tokens: z.int(), sha256: z.string() }),
});
export type BatchSource = z.infer<typeof batchSourceSchema>;

/** The packed corpora on this machine are not those of the run. */
export class CorporaDiffer extends Error {
  readonly tag = 'CorporaDiffer';
  readonly exitCode = 1;
  constructor(folders: readonly string[], digest: string, wanted: string) {
    super(
      `corpora in ${folders.join(', ')}: their digest is ${digest.slice(0, 12)}, the run's is ${wanted.slice(0, 12)}; ` +
        'remove these folders and launch again, they are packed anew',
    );
    this.name = 'CorporaDiffer';
  }
}

/** What batches are made of. */
export interface RunData {
  readonly corpora: readonly (PackedCorpus | PackedRows)[];
  readonly weights: readonly number[];
  /** Bytes of text by id; null where nobody asks for bits per byte. */
  readonly tokenBytes: Uint32Array | null;
}

/** Opens the corpora of a run, each checked against its index. Throws `DamagedPack`, `CorporaDiffer`. */
function openCorpora({ folders, weights, digest }: BatchSource): (PackedCorpus | PackedRows)[] {
  const corpora = folders.map((folder) => openPacked(folder));
  const found = blendDigest(corpora, weights);
  if (found !== digest) throw new CorporaDiffer(folders, found, digest);
  return corpora;
}

/**
 * Training microbatches and those of the held-out data, as a topology asks for them. Throws `BadBlend` where a corpus is too short
 * for a sequence.
 */
export function batchesOf(
  { corpora, weights, tokenBytes }: RunData,
  { training, parallelism }: Pick<Topology, 'training' | 'parallelism'>,
): Batches {
  const { global_batch_size, sequence_length: length, eval_sequences, seed } = training;
  const isText = (corpus: PackedCorpus | PackedRows): corpus is PackedCorpus => corpus instanceof PackedCorpus;
  const sources = corpora.map((corpus): SequenceSource =>
    isText(corpus) ? textSequences(corpus, length, seed) : rowSequences(corpus, seed),
  );
  const held = corpora.map((corpus) => (isText(corpus) ? heldOutText(corpus, length) : heldOutRows(corpus)));
  const globalMicrobatches = globalMicrobatchesOf({ parallelism });
  const shape = { globalBatchSize: global_batch_size, globalMicrobatches, sequenceLength: length };
  const draws = new Draws(sources, weights);
  return new Batches(draws, new HeldOutSequences(held, draws.shares, eval_sequences), shape, tokenBytes);
}

/** The batches of a run, opened from its packed corpora. */
export const openBatches = (source: BatchSource, topology: Topology): Batches =>
  batchesOf(
    { corpora: openCorpora(source), weights: source.weights, tokenBytes: readTokenBytes(source.tokenBytes) },
    topology,
  );
