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
  /** Packages that it imports or resolves, by name. */
  readonly packages: readonly string[];
}

/** All files below `folders` that end with `.ts` or `.js`. */
export function sourcesOf(folders: readonly string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|js)$/.test(name))
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

function read(path: string): Source {
  const text = textOf(path);
  const specifiers = [...text.matchAll(imported)].map(([, from, bare, called]) => from ?? bare ?? called);
  const isFile = (specifier: string) => specifier.startsWith('.');
  const files = specifiers
    .filter(isFile)
    .map((specifier) => relative(root, join(root, dirname(path), specifier)).replaceAll('\\', '/'));
  const packages = specifiers.filter((specifier) => !isFile(specifier)).map(packageOf);
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return { path, text, lines, files: [...new Set(files)], packages: [...new Set(packages)] };
}

function packageOf(specifier: string): string {
  const [scope, name] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}
