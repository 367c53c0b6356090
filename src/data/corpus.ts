/**
 * Which files a corpus is made of. Globs find them, each is read and hashed once, and what cannot be training
 * text (empty, too large, not UTF-8, a copy of another file, an output of a run) is left out and counted. The result names
 * files and their digests but holds no text: text is read again, piece by piece, only when there is something to pack.
 */
import { formatOfFile } from './corpus_format.ts';
import { EmptyCorpus, UnreadableFile } from './errors.ts';
import { skippedText, type CorpusFile, type CorpusSpec, type FoundCorpus } from './found_corpus.ts';
import type { NamedFile } from './matched_files.ts';
import type { PackPool } from './pack_pool.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

export interface FindOptions {
  /** The topology file's folder. */
  readonly baseDir: string;
  readonly tokenizer: Pick<Tokenizer, 'cuts'>;
}

/** Files that one thread examines before it is given others; one that may be large is examined by itself. */
const FILES_A_TASK = 32;
const LARGE_BYTES = 16 * 2 ** 20;

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
  const examined = pool.inOrder(slicesOf(named, spec), async (slice) =>
    pool.examine({ paths: slice.map(({ path }) => path), format, maxFileBytes, cuts: tokenizer.cuts }),
  );
  let at = 0;
  for await (const results of examined) {
    for (const result of results) {
      const { name, path } = named[at++];
      if (result.kind === 'refused') throw new UnreadableFile(spec.name, result);
      if (result.kind === 'leftOut') skipped[result.reason]++;
      // The same bytes are other documents where they are rows.
      else if (seen.has(result.format + result.sha256)) skipped.duplicate++;
      else {
        seen.add(result.format + result.sha256);
        const { format, bytes, sha256, isMarked, pieces } = result;
        files.push({ name, path, format, bytes, sha256, isMarked, pieces });
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

function* slicesOf(files: readonly NamedFile[], { format, maxFileBytes }: CorpusSpec): Generator<NamedFile[]> {
  let slice: NamedFile[] = [];
  for (const file of files) {
    slice.push(file);
    const mayBeLarge = maxFileBytes > LARGE_BYTES || formatOfFile(file.path, format) === 'jsonl';
    if (!mayBeLarge && slice.length < FILES_A_TASK) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}
