/** The blend that a topology's `data` section describes, packed on the first launch and opened after. */
import { resolve } from 'node:path';
import { Blend, findCorpus, packBlend, rehearsedCorpus } from '../data/index.ts';
import type { CorpusSpec, FoundCorpus, Tokenizer } from '../data/index.ts';
import type { Topology } from '../topology/index.ts';
import type { BatchSource } from './batch_source.ts';

/** Globs and the cache are relative to `baseDir`. Throws `EmptyCorpus`, `BadBlend` and the other errors of `data`. */
export async function packedBlend(
  { data, training }: Topology,
  baseDir: string,
  tokenizer: Tokenizer,
  signal: AbortSignal,
): Promise<{ blend: Blend; source: BatchSource }> {
  const { blend, folders } = await packBlend({
    baseDir,
    cacheDir: resolve(baseDir, data.cache_dir),
    tokenizer,
    heldOutFraction: data.held_out,
    seed: training.seed,
    signal,
    corpora: specsOf(data),
  });
  const weights = data.blend.map(({ weight }) => weight);
  return { blend, source: { folders: [...folders], weights, digest: blend.digest } };
}

/** The files of each corpus, and their blend as packing would give it; nothing is written. Throws what `packedBlend` does. */
export function rehearsedBlend(
  { data, training }: Topology,
  baseDir: string,
  tokenizer: Tokenizer,
): { corpora: readonly FoundCorpus[]; blend: Blend } {
  const corpora = specsOf(data).map((spec) => findCorpus(spec, baseDir));
  const options = { baseDir, tokenizer, heldOutFraction: data.held_out };
  const weights = data.blend.map(({ weight }) => weight);
  const blend = new Blend(
    corpora.map((found) => rehearsedCorpus(found, options)),
    weights,
    training.seed,
  );
  return { corpora, blend };
}

const specsOf = ({ blend }: Topology['data']): CorpusSpec[] =>
  blend.map(({ name, glob, exclude, weight, format, max_file_bytes }) => ({
    name,
    globs: listOf(glob),
    exclude: listOf(exclude ?? []),
    weight,
    format,
    maxFileBytes: max_file_bytes,
  }));

const listOf = (globs: string | readonly string[]): readonly string[] => (typeof globs === 'string' ? [globs] : globs);
