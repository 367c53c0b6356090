/**
 * Where batches come from, as plain data that crosses a thread: the folders of packed corpora and how they are blended.
 * Every worker opens them itself; batches are never sent.
 */
import { Blend, PackedCorpus } from '../data/index.ts';
import { meshOf, type Topology } from '../topology/index.ts';
import { z } from 'zod';
import { Batches } from './batches.ts';

export const batchSourceSchema = z.object({
  /** Of each corpus of the blend, in its order. */
  folders: z.array(z.string()),
  weights: z.array(z.number()),
});
export type BatchSource = z.infer<typeof batchSourceSchema>;

export function openBlend({ folders, weights }: BatchSource, seed: number): Blend {
  return new Blend(
    folders.map((folder) => PackedCorpus.open(folder)),
    weights,
    seed,
  );
}

/** Training microbatches and held-out windows as a topology asks for them. */
export function batchesOf(blend: Blend, { training }: Topology, globalMicrobatches: number): Batches {
  const { global_batch_size, sequence_length, eval_sequences } = training;
  const shape = { globalBatchSize: global_batch_size, globalMicrobatches, sequenceLength: sequence_length };
  return new Batches(blend, blend.heldOutWindows(sequence_length, eval_sequences), shape);
}

/** The batches of a run, opened from its packed corpora. */
export function openBatches(source: BatchSource, topology: Topology): Batches {
  return batchesOf(openBlend(source, topology.training.seed), topology, meshOf(topology).globalMicrobatches);
}
