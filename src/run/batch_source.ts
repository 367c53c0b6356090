/**
 * A batch source says where the batches of a run come from, as plain data that crosses a thread: the folders of packed
 * corpora and how they are blended. Every worker opens them itself; batches are never sent.
 */
import { Blend, PackedCorpus } from '../data/index.ts';
import { globalMicrobatchesOf, type Topology } from '../topology/index.ts';
import { z } from 'zod';
import { Batches } from './batches.ts';

export const batchSourceSchema = z.object({
  /** The folder of each corpus of the blend, in its order. */
  folders: z.array(z.string()),
  weights: z.array(z.number()),
  /** Digest of the blend: whoever opens another one would train on other text. */
  digest: z.string(),
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

/** Opens the corpora of a run, each checked against its index. Throws `DamagedPack`, `CorporaDiffer`. */
export function openBlend({ folders, weights, digest }: BatchSource, seed: number): Blend {
  const blend = new Blend(
    folders.map((folder) => PackedCorpus.open(folder)),
    weights,
    seed,
  );
  if (blend.digest !== digest) throw new CorporaDiffer(folders, blend.digest, digest);
  return blend;
}

/** Training microbatches and held-out windows as a topology asks for them. Throws `BadBlend` where text is too short. */
export function batchesOf(blend: Blend, { training }: Topology, globalMicrobatches: number): Batches {
  const { global_batch_size, sequence_length, eval_sequences } = training;
  blend.assertRoom(sequence_length);
  const shape = { globalBatchSize: global_batch_size, globalMicrobatches, sequenceLength: sequence_length };
  return new Batches(blend, blend.heldOutWindows(sequence_length, eval_sequences), shape);
}

/** The batches of a run, opened from its packed corpora. */
export function openBatches(source: BatchSource, topology: Topology): Batches {
  return batchesOf(openBlend(source, topology.training.seed), topology, globalMicrobatchesOf(topology));
}
