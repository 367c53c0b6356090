/**
 * Which documents a corpus is made of. Globs find files, every file is read and hashed once, and what cannot be training
 * text (empty, too large, not UTF-8, a copy of another file, an output of a run) is left out and counted. The result names
 * documents and their digests but holds no text: text is read again, piece by piece, only when there is something to pack.
 */
import { EmptyCorpus, UnreadableFile } from './errors.ts';
import { skippedText, type CorpusFile, type CorpusSpec, type FoundCorpus } from './found_corpus.ts';
import type { PackPool } from './pack_pool.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

export interface FindOptions {
  /** The topology file's folder. */
  readonly baseDir: string;
  readonly tokenizer: Pick<Tokenizer, 'cuts'>;
}

/** Files that one thread examines before it is given others. */
const FILES_A_TASK = 32;

/**
 * Finds and hashes the files of a corpus.
 *
 * Throws `EmptyCorpus` where a glob matches no file or no file is left, `UnreadableFile` where one may not be read.
 */
export async function findCorpus(spec: CorpusSpec, options: FindOptions, pool: PackPool): Promise<FoundCorpus> {
  const { baseDir, tokenizer } = options;
  const matched = await pool.find({ globs: spec.globs, exclude: spec.exclude ?? [], baseDir });
  if (matched.kind === 'none') throw new EmptyCorpus(spec.name, matched.reason, 'correct data.blend');
  const named = matched.files;
  const skipped = { empty: 0, tooLarge: 0, notUtf8: 0, duplicate: 0, notAFile: 0, ownOutput: matched.ownOutputs };
  const files: CorpusFile[] = [];
  const seen = new Set<string>();
  const { format, maxFileBytes } = spec;
  const examined = pool.inOrder(slicesOf(named, FILES_A_TASK), async (slice) =>
    pool.examine({ paths: slice.map(({ path }) => path), format, maxFileBytes, cuts: tokenizer.cuts }),
  );
  let at = 0;
  for await (const results of examined) {
    for (const result of results) {
      const { name, path } = named[at++];
      if (result.kind === 'refused') throw new UnreadableFile(spec.name, path, result.reason, result.remedy);
      if (result.kind === 'leftOut') skipped[result.reason]++;
      else if (seen.has(result.sha256)) skipped.duplicate++;
      else {
        seen.add(result.sha256);
        const { bytes, sha256, isMarked, pieces } = result;
        files.push({ name, path, bytes, sha256, isMarked, pieces });
      }
    }
  }
  const filesFound = named.length + matched.ownOutputs;
  if (files.length === 0) {
    const count = filesFound === 1 ? '1 file' : `${filesFound} files`;
    const reason = `nothing is left of ${count} (${skippedText(spec, skipped)})`;
    throw new EmptyCorpus(spec.name, reason, 'point its glob at text files or raise max_file_bytes');
  }
  return { spec, filesFound, files, skipped };
}

function slicesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
