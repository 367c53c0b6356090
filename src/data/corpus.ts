/**
 * Which documents a corpus is made of. Globs find files, every file is read and hashed once, and what cannot be training
 * text (empty, too large, not UTF-8, a copy of another file) is left out and counted. The result names documents and
 * their digests but holds no text: text is read again, file by file, only when there is something to pack.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { globSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { EmptyCorpus, UnreadableFile } from './errors.ts';
import { FileReader } from './file_reader.ts';

/** `text`: a file is a document. `json_strings`: all string values of a JSON file, joined by newlines, are one. */
export type CorpusFormat = 'text' | 'json_strings';

export interface CorpusSpec {
  readonly name: string;
  /** Relative to the topology file's folder, as `exclude`. */
  readonly globs: readonly string[];
  readonly exclude?: readonly string[] | undefined;
  /** Share of the blend relative to the other weights. */
  readonly weight: number;
  readonly format: CorpusFormat;
  readonly maxFileBytes: number;
}

export const DEFAULT_MAX_FILE_BYTES = 2 ** 20;

/** One file that goes into the stream. */
export interface CorpusFile {
  /** Below the files' common folder, with `/`: the same wherever the topology file is moved to. */
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Files that a glob found and that are left out, by reason. `notAFile`: gone when read, or a link to a folder. */
export interface SkippedFiles {
  readonly empty: number;
  readonly tooLarge: number;
  readonly notUtf8: number;
  readonly duplicate: number;
  readonly notAFile: number;
}

export interface FoundCorpus {
  readonly spec: CorpusSpec;
  /** Files that the globs matched: those in `files` and those left out. */
  readonly filesFound: number;
  /** Sorted by name in code-unit order. */
  readonly files: readonly CorpusFile[];
  readonly skipped: SkippedFiles;
}

/**
 * Finds and hashes the files of a corpus below `baseDir`, the topology file's folder.
 *
 * Throws `EmptyCorpus` where a glob matches no file or no file is left, `UnreadableFile` where one may not be read.
 */
export function findCorpus(spec: CorpusSpec, baseDir: string): FoundCorpus {
  const paths = matchedPaths(spec, baseDir);
  const folder = commonFolder(paths);
  const named = paths.map((path) => ({ path, name: path.slice(folder.length).replaceAll(sep, '/') }));
  named.sort((a, b) => (a.name < b.name ? -1 : 1));
  const skipped = { empty: 0, tooLarge: 0, notUtf8: 0, duplicate: 0, notAFile: 0 };
  const files: CorpusFile[] = [];
  const seen = new Set<string>();
  const reader = new FileReader();
  for (const { path, name } of named) {
    const read = readDocument(spec, path, reader);
    if (typeof read === 'string') {
      skipped[read]++;
      continue;
    }
    const sha256 = sha256Of(read);
    if (seen.has(sha256)) skipped.duplicate++;
    else {
      seen.add(sha256);
      files.push({ name, path, sha256, bytes: read.length });
    }
  }
  if (files.length === 0) {
    const { empty, tooLarge, notUtf8, notAFile } = skipped;
    const counts = [
      { count: empty, what: 'empty' },
      { count: tooLarge, what: `over ${spec.maxFileBytes} bytes` },
      { count: notUtf8, what: 'not UTF-8' },
      { count: notAFile, what: 'not a file, or gone' },
    ].flatMap(({ count, what }) => (count === 0 ? [] : [`${count} ${what}`]));
    const files = paths.length === 1 ? '1 file' : `${paths.length} files`;
    const reason = `nothing is left of ${files} (${counts.join(', ')})`;
    throw new EmptyCorpus(spec.name, reason, 'point its glob at text files or raise max_file_bytes');
  }
  return { spec, filesFound: paths.length, files, skipped };
}

/** Reads the text of a found file again; throws `UnreadableFile` if it changed since it was found. */
export function readText(spec: CorpusSpec, file: CorpusFile, reader: FileReader): string {
  const bytes = readOrThrow(spec, file.path, reader);
  if (bytes === 'notAFile' || sha256Of(bytes) !== file.sha256) {
    throw new UnreadableFile(spec.name, file.path, 'it changed while it was being packed', 'launch again');
  }
  const text = bytes.toString('utf8');
  return spec.format === 'text' ? text : jsonStrings(spec, file.path, text);
}

function matchedPaths(spec: CorpusSpec, baseDir: string): string[] {
  const paths = new Set<string>();
  for (const glob of spec.globs) {
    let matched = 0;
    for (const entry of globSync(glob, { cwd: baseDir, exclude: spec.exclude ?? [], withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      paths.add(resolve(baseDir, entry.parentPath, entry.name));
      matched++;
    }
    if (matched === 0) {
      throw new EmptyCorpus(spec.name, `glob '${glob}' matches no file below ${baseDir}`, 'correct data.blend');
    }
  }
  return [...paths];
}

/** The deepest folder that holds all paths, with its trailing separator. */
function commonFolder(paths: readonly string[]): string {
  let folder = paths[0].slice(0, paths[0].lastIndexOf(sep) + 1);
  for (const path of paths) {
    while (!path.startsWith(folder)) folder = folder.slice(0, folder.lastIndexOf(sep, folder.length - 2) + 1);
  }
  return folder;
}

function readDocument(
  spec: CorpusSpec,
  path: string,
  reader: FileReader,
): Buffer | Exclude<keyof SkippedFiles, 'duplicate'> {
  const stat = attempt(spec, path, () => statSync(path));
  if (stat === 'notAFile' || !stat.isFile()) return 'notAFile';
  if (stat.size > spec.maxFileBytes) return 'tooLarge';
  const bytes = readOrThrow(spec, path, reader);
  if (bytes === 'notAFile') return bytes;
  if (bytes.length === 0) return 'empty';
  return isUtf8(bytes) ? bytes : 'notUtf8';
}

function readOrThrow(spec: CorpusSpec, path: string, reader: FileReader): Buffer | 'notAFile' {
  return attempt(spec, path, () => reader.read(path));
}

function attempt<T>(spec: CorpusSpec, path: string, action: () => T): T | 'notAFile' {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return 'notAFile';
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnreadableFile(spec.name, path, reason, 'give read permission or exclude it', cause);
  }
}

function jsonStrings(spec: CorpusSpec, path: string, text: string): string {
  const strings: string[] = [];
  try {
    JSON.parse(text, (_key, value: unknown) => {
      if (typeof value === 'string') strings.push(value);
      return value;
    });
  } catch (cause) {
    const reason = `it is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new UnreadableFile(spec.name, path, reason.split('\n', 1)[0], "exclude it or use format 'text'", cause);
  }
  return strings.join('\n');
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
