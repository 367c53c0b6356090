/**
 * The corpora of a run are packed on its first launch and opened after, and blended as the topology's `data` section
 * says.
 */
import { resolve } from 'node:path';
import { blockTokensFor, packBlend, rehearseBlend, tableFiles, skippedText } from '../data/index.ts';
import type { Blend, CorpusSpec, FoundCorpus, Tokenizer } from '../data/index.ts';
import type { Topology } from '../topology/index.ts';
import type { BatchSource } from './batch_source.ts';
import type { TrainOptions } from './run_port.ts';

/**
 * Packs the blend of a topology, or opens it where that is done. Globs and the cache are relative to `baseDir`. Throws
 * `EmptyCorpus`, `BadBlend` and the other errors of `data`.
 */
export async function packedBlend(
  { topology, baseDir, signal, observe }: Pick<TrainOptions, 'topology' | 'baseDir' | 'signal' | 'observe'>,
  tokenizer: Tokenizer,
): Promise<{ blend: Blend; source: BatchSource }> {
  const { data } = topology;
  const { blend, folders } = await packBlend({
    ...optionsOf(topology, baseDir, tokenizer),
    cacheDir: resolve(baseDir, data.cache_dir),
    signal,
    progress: (progress) => observe({ kind: 'packing', ...progress }),
    observe: ({ found }) => {
      for (const text of [...leftOutRemarks(found), ...tableRemarks(found)]) observe({ kind: 'notice', text });
    },
  });
  const weights = data.blend.map(({ weight }) => weight);
  return { blend, source: { folders: [...folders], weights, digest: blend.digest } };
}

/** The files of each corpus, and their blend as packing would give it; nothing is written. Throws what `packedBlend` does. */
export async function rehearsedBlend(
  topology: Topology,
  baseDir: string,
  tokenizer: Tokenizer,
): Promise<{ corpora: readonly FoundCorpus[]; blend: Blend }> {
  return await rehearseBlend(optionsOf(topology, baseDir, tokenizer));
}

/** A line where a user may not have meant that outputs of runs are among the texts: how many files were left out, and why. */
export function leftOutRemarks({ spec, filesFound, files, skipped }: FoundCorpus): string[] {
  if (skipped.ownOutput === 0) return [];
  const all = skippedText(spec, skipped);
  return [`corpus '${spec.name}': ${files.length} of ${filesFound} files are its texts; left out: ${all}`];
}

/** A line where a user may not have meant that tables are read as text. */
export function tableRemarks(found: FoundCorpus): string[] {
  const tables = tableFiles(found);
  if (tables.length === 0) return [];
  const which = tables.length === 1 ? `${tables[0]} holds` : `${tables[0]} and ${tables.length - 1} more hold`;
  return [
    `corpus '${found.spec.name}': ${which} a table and will be trained on as plain text, with its separators; write its ` +
      "texts to a .jsonl file, exclude it, or say by format 'text' that it is meant so",
  ];
}

function optionsOf({ data, training }: Topology, baseDir: string, tokenizer: Tokenizer) {
  return {
    baseDir,
    tokenizer,
    heldOutFraction: data.held_out,
    blockTokens: blockTokensFor(training.sequence_length),
    seed: training.seed,
    corpora: specsOf(data),
  };
}

const specsOf = ({ blend }: Topology['data']): CorpusSpec[] =>
  blend.map(({ name, glob, exclude, weight, format, columns, max_file_bytes }) => ({
    name,
    globs: listOf(glob),
    exclude: listOf(exclude ?? []),
    weight,
    format,
    textKey: columns.text,
    maxFileBytes: max_file_bytes,
  }));

const listOf = (globs: string | readonly string[]): readonly string[] => (typeof globs === 'string' ? [globs] : globs);
