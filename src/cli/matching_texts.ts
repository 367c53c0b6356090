/**
 * Whether the glob given to `troupe init` finds texts, and if not, which one would. Said at once: a topology file whose glob
 * finds nothing fails much later.
 */
import { statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { matchedFiles } from '../data/index.ts';
import { UsageError } from './usage_error.ts';

/** Folders that hold nobody's texts, and many files. */
const exclude = ['**/node_modules/**', '**/.git/**'];

/** Throws `UsageError` for a folder, and for a glob that matches no file, as seen from `baseDir`. */
export function checkMatches(glob: string, baseDir: string): void {
  if (isFolder(resolve(baseDir, glob))) {
    const place = glob.replace(/\/+$/, '') || '/';
    throw new UsageError(`--data ${glob}: is a folder; give a glob of the files in it${wouldMatch(place, baseDir)}`);
  }
  const matched = matchedFiles({ globs: [glob], exclude: [], baseDir });
  if (matched.kind === 'matched') return;
  const reason = matched.reason.replace(`glob '${glob}' `, '');
  throw new UsageError(`--data ${glob}: ${reason}; name your texts by a glob${wouldMatch(fixedPart(glob), baseDir)}`);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Nothing is there, or it is no path, as most globs are none.
    return false;
  }
}

/** Whether no file is there yet. */
export const matchesNothing = (glob: string, baseDir: string): boolean =>
  matchedFiles({ globs: [glob], exclude: [], baseDir }).kind === 'none';

/** What would: by the ending that most files have there, or in the folder above. */
function wouldMatch(folder: string, baseDir: string): string {
  for (const place of folder === '.' ? ['.'] : [folder, '.']) {
    const globs = [`${place}/{*,*/*,*/*/*}`];
    const found = matchedFiles({ globs, exclude, baseDir });
    const ending = found.kind === 'matched' ? mostFrequent(found.files.map(({ name }) => extname(name))) : null;
    if (ending !== null) return `: '${place === '.' ? '' : `${place}/`}**/*${ending}' would match`;
  }
  return ", for example --data 'texts/**/*.txt'";
}

/** The folder that a glob begins with. */
function fixedPart(glob: string): string {
  const parts = glob.split('/');
  const magic = parts.findIndex((part, at) => /[*?[\]{}()!]/.test(part) || at === parts.length - 1);
  const folder = parts.slice(0, magic).join('/');
  return folder === '' ? '.' : folder;
}

function mostFrequent(endings: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const ending of endings) if (ending !== '') counts.set(ending, (counts.get(ending) ?? 0) + 1);
  // Of two as frequent, the one of texts.
  const rank = ([ending, count]: readonly [string, number]): number =>
    count + (/^\.(?:txt|md)$/.test(ending) ? 0.5 : 0);
  return [...counts].sort((a, b) => rank(b) - rank(a)).at(0)?.[0] ?? null;
}
