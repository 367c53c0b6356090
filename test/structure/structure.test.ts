/** The rules of the house that a file can break without any test of behaviour noticing. */
import { expect, test } from 'vitest';
import { circlesOf } from './circles.ts';
import { floors, mayImport, openTypes, runtimeFloors } from './floors.ts';
import { sourceOf, sourcesOf, textOf, type Source } from './sources.ts';

const product = sourcesOf(['src', 'bin']);
const all = [...product, ...sourcesOf(['test', 'bench', 'examples'])];

interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}
const { dependencies, devDependencies, scripts } = JSON.parse(textOf('package.json')) as Package;

const packagesOf = (sources: readonly Source[]) => new Set(sources.flatMap(({ packages }) => packages));

test('circles are found, with the files that they run through', () => {
  const edges = new Map([
    ['a', ['b', 'd']],
    ['b', ['c']],
    ['c', ['a']],
    ['d', ['e']],
    ['e', []],
    ['f', ['f']],
  ]);
  expect(circlesOf(edges)).toEqual([['a', 'b', 'c'], ['f']]);
  expect(circlesOf(new Map([...edges, ['c', []], ['f', []]]))).toEqual([]);
});

test('files do not import each other in a circle', () => {
  expect(circlesOf(new Map(all.map(({ path, files }) => [path, files])))).toEqual([]);
});

test('no file is longer than 250 lines', () => {
  expect(all.filter(({ lines }) => lines > 250).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
});

test('every file of the product opens with what it is', () => {
  const opens = /^(#!.*\n)?(\/\/\/? |\/\*\*)/;
  expect(product.filter(({ text }) => !opens.test(text)).map(({ path }) => path)).toEqual([]);
});

test('imports run down: from a floor to those below it', () => {
  const wrong = product.flatMap((source) =>
    source.files.filter((file) => !isAllowed(source, file)).map((file) => `${source.path} imports ${file}`),
  );
  expect(wrong).toEqual([]);
});

test('every folder of the product, and every file beside one, is on a floor', () => {
  const partsOf = (folder: string, depth: number) =>
    new Set(product.filter(({ path }) => path.startsWith(folder)).map(({ path }) => path.split('/')[depth]));
  const isOn = (of: typeof floors, part: string) => of.some((floor) => floor.includes(part));
  expect([...partsOf('src/', 1)].filter((part) => !isOn(floors, part))).toEqual([]);
  expect([...partsOf('src/runtime/', 2)].filter((part) => !isOn(runtimeFloors, part))).toEqual([]);
});

test.each([
  ['src/data/a.ts', "import type { A } from '../topology/b.ts';", true],
  ['src/data/a.ts', "export type { A } from '../topology/b.ts';", true],
  ['src/data/a.ts', "import { a } from '../topology/b.ts';", false],
  ['src/data/a.ts', "export { a } from '../topology/b.ts';", false],
  ['src/data/a.ts', "import '../topology/b.ts';", false],
  ['src/data/a.ts', "const a = await import('../topology/b.ts');", false],
  ['src/data/a.ts', "import type { A } from '../topology/b.ts';\nimport { a } from '../topology/b.ts';", false],
  ['src/data/a.ts', "import type { A } from '../topology/b.ts';\nimport { c } from './b.ts';", true],
  ['src/data/a.ts', "import type { A } from '../kernels/b.ts';", false],
  ['src/system_error.ts', "import type { A } from './cli/b.ts';", false],
  ['src/data/a.ts', "import { a } from '../system_error.ts';", true],
  ['src/cli/a.ts', "import { a } from '../index.ts';", false],
  ['src/index.ts', "export { a } from './actors/b.ts';", true],
  ['src/cli/a.ts', "import { a } from '../elsewhere/b.ts';", false],
  ['src/elsewhere/a.ts', "import { a } from './b.ts';", false],
  ['src/runtime/system/a.ts', "import { a } from '../testing/b.ts';", false],
])('whether %s may have %j: %s', (path, text, isRight) => {
  const source = sourceOf(path, text);
  expect(source.files.length).toBeGreaterThan(0);
  expect(source.files.every((file) => isAllowed(source, file))).toBe(isRight);
});

test('the pack for a machine with a GPU has the packages that are loaded with the product, and no other', () => {
  const script = textOf('bench/gpu_machine.sh');
  const packed = /^packages=\(([^)]*)\)/m.exec(script)?.[1].trim().split(/\s+/) ?? [];
  const wanted = new Set<string>();
  const add = (name: string): void => {
    // What it puts there in another way is named with its folder.
    if (wanted.has(name) || script.includes(`/node_modules/${name}"`)) return;
    wanted.add(name);
    const { dependencies = {} } = JSON.parse(textOf(`node_modules/${name}/package.json`)) as Partial<Package>;
    Object.keys(dependencies).forEach(add);
  };
  const loaded = product.flatMap(({ loadedPackages }) => loadedPackages).filter((name) => !name.startsWith('node:'));
  loaded.forEach(add);
  expect(packed.sort()).toEqual([...wanted].sort());
});

test('every dependency is imported by the product, and everything that is imported is declared', () => {
  const used = packagesOf(product);
  expect(Object.keys(dependencies).filter((name) => !used.has(name))).toEqual([]);
  const declared = (name: string) => name.startsWith('node:') || name in dependencies;
  expect([...used].filter((name) => !declared(name))).toEqual([]);
});

test('every development dependency is imported by a test or benchmark, run by a script, or gives types', () => {
  const config = ['eslint.config.js', 'vitest.config.ts'].map(textOf).join('\n');
  const commands = Object.values(scripts).join(' ');
  const used = packagesOf(all);
  const isUsed = (name: string) =>
    name.startsWith('@types/') || used.has(name) || config.includes(`'${name}`) || isRun(name, commands);
  expect(Object.keys(devDependencies).filter((name) => !isUsed(name))).toEqual([]);
});

/** `typescript` is run as `tsc`. */
function isRun(name: string, commands: string): boolean {
  return new RegExp(`\\b${name === 'typescript' ? 'tsc' : name}\\b`).test(commands);
}

function isAllowed({ path: from, typeFiles }: Source, to: string): boolean {
  const [, fromFolder, fromPart] = from.split('/');
  const [, toFolder, toPart] = to.split('/');
  if (from.startsWith('bin/') || !to.startsWith('src/')) return true;
  if (fromFolder === 'runtime' && toFolder === 'runtime') return mayImport(runtimeFloors, fromPart, toPart);
  if (mayImport(floors, fromFolder, toFolder)) return true;
  return openTypes.includes(toFolder) && typeFiles.includes(to);
}
