/** The sources of the project and what each imports, read from the files themselves. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Source {
  /** From the root of the project, with slashes: `src/kernels/op.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  /** What it imports of the project, types too: paths from the root. */
  readonly files: readonly string[];
  /** Those of which it imports types alone. */
  readonly typeFiles: readonly string[];
  /** Packages that it imports or resolves, by name. */
  readonly packages: readonly string[];
  /** Those that are loaded with it: no types, and nothing that it imports later. */
  readonly loadedPackages: readonly string[];
}

/** All files below `folders` that end with `.ts`, `.js` or `.cjs`. */
export function sourcesOf(folders: readonly string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|c?js)$/.test(name))
      .map((name) => join(folder, name).replaceAll('\\', '/'))
      .sort()
      .map(read),
  );
}

/** The text of one file of the project. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** `from '...'` of imports and exports, `import('...')` of code and types, and what is resolved by name. */
const imported =
  /^(?:import|export)\b[^'"`;]*?from\s+'([^']+)'|^import\s+'([^']+)'|(?:\bimport|require|\.resolve)\(\s*'([^']+)'/gm;

const read = (path: string): Source => sourceOf(path, textOf(path));

/** A file of this path and text. */
export function sourceOf(path: string, text: string): Source {
  const imports = [...text.matchAll(imported)].map(([whole, from, bare, called]) => {
    const specifier = from ?? bare ?? called;
    const isFile = specifier.startsWith('.');
    const target = isFile
      ? relative(root, join(root, dirname(path), specifier)).replaceAll('\\', '/')
      : packageOf(specifier);
    return { target, isFile, isType: /^(import|export) type\b/.test(whole), isLater: called !== undefined };
  });
  const targets = (found: typeof imports) => [...new Set(found.map(({ target }) => target))];
  const [files, packages] = [true, false].map((wanted) => imports.filter(({ isFile }) => isFile === wanted));
  const valueFiles = targets(files.filter(({ isType }) => !isType));
  return {
    path,
    text,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    files: targets(files),
    typeFiles: targets(files).filter((file) => !valueFiles.includes(file)),
    packages: targets(packages),
    loadedPackages: targets(packages.filter(({ isType, isLater }) => !isType && !isLater)),
  };
}

function packageOf(specifier: string): string {
  const [scope, name] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}
