/**
 * The files that a corpus' globs match, without what runs have written. Names are those below the files' common folder,
 * with `/`: the same wherever the topology file is moved to.
 */
import { globSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { MOST_PATTERNS, patternsOf } from './glob_expansion.ts';
import { OwnOutputs } from './own_outputs.ts';

export interface Matching {
  /** Relative to `baseDir`, as `exclude`. */
  readonly globs: readonly string[];
  readonly exclude: readonly string[];
  readonly baseDir: string;
}

export type MatchedFiles =
  /** Sorted by name in code-unit order. `ownOutputs`: how many more files are left out as outputs of runs. */
  | { readonly kind: 'matched'; readonly files: readonly NamedFile[]; readonly ownOutputs: number }
  | { readonly kind: 'none'; readonly reason: string };

export interface NamedFile {
  readonly name: string;
  readonly path: string;
}

/** Finds them; `none` says which glob matches nothing, or stands for more patterns than are looked for. */
export function matchedFiles({ globs, exclude, baseDir }: Matching): MatchedFiles {
  const tooMany = [...globs, ...exclude].find((glob) => patternsOf(glob) > MOST_PATTERNS);
  if (tooMany !== undefined) return none(`glob '${tooMany}' stands for more than ${MOST_PATTERNS} patterns`);
  const own = new OwnOutputs();
  const paths = new Set<string>();
  const left = new Set<string>();
  for (const glob of globs) {
    let matched = 0;
    for (const entry of globSync(glob, { cwd: baseDir, exclude: [...exclude], withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const path = resolve(baseDir, entry.parentPath, entry.name);
      (own.has(path) ? left : paths).add(path);
      matched++;
    }
    if (matched === 0) return none(`glob '${glob}' matches no file below ${baseDir}`);
  }
  if (paths.size === 0) return none(`all ${left.size} files are what runs of Troupe have written`);
  const folder = commonFolder([...paths]);
  const files = [...paths].map((path) => ({ path, name: path.slice(folder.length).replaceAll(sep, '/') }));
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { kind: 'matched', files, ownOutputs: left.size };
}

const none = (reason: string): MatchedFiles => ({ kind: 'none', reason });

/** The deepest folder that holds all paths, with its trailing separator. */
function commonFolder(paths: readonly string[]): string {
  let folder = paths[0].slice(0, paths[0].lastIndexOf(sep) + 1);
  for (const path of paths) {
    while (!path.startsWith(folder)) folder = folder.slice(0, folder.lastIndexOf(sep, folder.length - 2) + 1);
  }
  return folder;
}
