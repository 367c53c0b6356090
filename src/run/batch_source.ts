/**
 * A batch source says where the batches of a run come from, as plain data that crosses a thread: the folders of packed
 * corpora and how they are blended. Every worker opens them itself; batches are never sent.
 */
import {
  blendDigest,
  Draws,
  openPacked,
  readTokenBytes,
  PackedCorpus,
  rowSequences,
  textSequences,
  type SequenceSource,
} from '../data/packed.ts';
import { globalMicrobatchesOf, type Topology } from '../topology/index.ts';
import { z } from 'zod';
import { Batches } from './batches.ts';
import { evaluatedData, type BlendedData } from './evaluated_data.ts';

const blendSourceSchema = z.object({
  /** The folder of each corpus of the blend, in its order. */
  folders: z.array(z.string()),
  weights: z.array(z.number()),
  /** Digest of the blend: whoever opens another one would train on other text. */
  digest: z.string(),
});
export type BlendSource = z.infer<typeof blendSourceSchema>;

export const batchSourceSchema = blendSourceSchema.extend({
  /** Data of evaluations, by name. */
  evaluations: z.record(z.string(), blendSourceSchema),
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
export interface RunData extends BlendedData {
  /** Data of evaluations, by name. */
  readonly evaluations: ReadonlyMap<string, BlendedData>;
  /** Bytes of text by id; null where nobody asks for bits per byte. */
  readonly tokenBytes: Uint32Array | null;
}

/** Opens the corpora of a blend, each checked against its index. Throws `DamagedPack`, `CorporaDiffer`. */
function openBlend({ folders, weights, digest }: BlendSource): BlendedData {
  const corpora = folders.map((folder) => openPacked(folder));
  const found = blendDigest(corpora, weights);
  if (found !== digest) throw new CorporaDiffer(folders, found, digest);
  return { corpora, weights };
}

/**
 * Training microbatches and those of evaluations, as a topology asks for them. Throws `BadBlend` where a corpus or an evaluation's
 * data is too short for a sequence.
 */
export function batchesOf(
  data: RunData,
  topology: Pick<Topology, 'training' | 'parallelism' | 'evaluations'>,
): Batches {
  const { global_batch_size, sequence_length: length, seed } = topology.training;
  const sources = data.corpora.map((corpus): SequenceSource =>
    corpus instanceof PackedCorpus ? textSequences(corpus, length, seed) : rowSequences(corpus, seed),
  );
  const evaluated = evaluatedData(data, data.evaluations, topology);
  const globalMicrobatches = globalMicrobatchesOf(topology);
  const shape = { globalBatchSize: global_batch_size, globalMicrobatches, sequenceLength: length };
  return new Batches(new Draws(sources, data.weights), evaluated, shape, data.tokenBytes);
}

/** The batches of a run, opened from its packed corpora. */
export function openBatches(source: BatchSource, topology: Topology): Batches {
  const evaluations = Object.entries(source.evaluations).map(([name, blend]) => [name, openBlend(blend)] as const);
  const tokenBytes = readTokenBytes(source.tokenBytes);
  return batchesOf({ ...openBlend(source), evaluations: new Map(evaluations), tokenBytes }, topology);
}
