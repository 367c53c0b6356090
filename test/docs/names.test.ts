/** What the pages name exists: npm scripts, verbs, options, keys of the topology file, files, and what links lead to. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { keyTree, nodeAt } from '../../src/topology/key_tree.ts';
import { blocksOf, commandsOf, pages, root, textOf } from './page.ts';
import { verbs } from './verbs.ts';

/** Named in order to say that they do not exist, words that stand for any, and the title of a process. */
const noVerbs = ['join', 'VERB', '…', 'node-0'];
const wrongKeys = ['training.step'];
const foreignOptions = [
  '--programs',
  '--pdeathsig',
  '--external-memory-accounted-in-global-limit',
  '--onnxruntime-node-install',
  '--import',
  '--conditions',
  '--version',
  '--help',
];

const prose = (page: string): string => textOf(page).replaceAll(/^ *```[^]*?^ *```$/gm, '');
const spans = (page: string): string[] =>
  Array.from(prose(page).matchAll(/`([^`]+)`/g), ([, code]) => code.replaceAll(/\s+/g, ' '));
const commands = (page: string): string[] =>
  blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(commandsOf);

/** Each place where a page names what `pattern` captures. */
const named = (pattern: RegExp, of = (page: string) => [...spans(page), ...commands(page)]) =>
  pages.flatMap((page) =>
    of(page).flatMap((code) => Array.from(code.matchAll(pattern), ([whole, name]) => ({ page, code, whole, name }))),
  );

test('npm scripts and benchmarks', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const unknown = named(/\bnpm (?:run )?(start|test|(?<=run )[\w:]+)/g).filter(({ name }) => !(name in scripts));
  expect(unknown).toEqual([]);
  const benches = named(/\bnpm run bench -- (\w+)/g);
  expect(benches.length).toBeGreaterThan(5);
  expect(benches.filter(({ name }) => !existsSync(join(root, 'bench', `${name}.bench.ts`)))).toEqual([]);
});

test('verbs and their options', () => {
  const known = verbs();
  expect(known.size).toBeGreaterThan(5);
  const calls = named(/(?:^|npx |\$\(|bin\/)troupe(?:\.js)? ([^-][^|&;)]*)/g).map((call) => {
    const [verb, ...rest] = call.name.split(' ');
    return { ...call, verb, options: rest.filter((word) => /^--\w/.test(word)) };
  });
  expect(calls.length).toBeGreaterThan(20);
  const wrong = calls.filter(
    ({ verb, options }) =>
      !noVerbs.includes(verb) && !(known.has(verb) && options.every((option) => known.get(verb)?.includes(option))),
  );
  expect(wrong).toEqual([]);
  const all = [...[...known.values()].flat(), ...foreignOptions];
  // What stands behind the name of another program is its own.
  const own = named(/(?<![\w-])(--[a-z][\w-]*)/g, spans).filter(({ code }) => !/^(?!npx |troupe )[a-z]\w* /.test(code));
  expect(own.filter(({ name }) => !all.includes(name))).toEqual([]);
});

test('keys of the topology file', () => {
  const sections = [...keyTree().keys.keys()].join('|');
  const keys = named(
    new RegExp(`(?<![\\w./])((?:${sections})\\.(?!yaml|safetensors)[a-z_][a-z_.]*)(?=[=\`: ]|$)`, 'g'),
  );
  expect(keys.length).toBeGreaterThan(30);
  const unknown = keys.filter(({ name }) => nodeAt(name.split('.')) === null && !wrongKeys.includes(name));
  expect(unknown).toEqual([]);
});

test('files of the repository', () => {
  const files = named(/^((?:src|test|bench|bin|configs|examples|docs)\/[\w/.-]+)$/g, spans);
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter(({ name }) => !existsSync(join(root, name)))).toEqual([]);
});

test('links lead to files, and to headings in them', () => {
  const links = pages.flatMap((page) =>
    Array.from(prose(page).matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => ({ page, target })),
  );
  expect(links.length).toBeGreaterThan(50);
  const broken = links.filter(({ page, target }) => {
    if (/^https:/.test(target)) return false;
    const [file, anchor] = target.split('#');
    const path = file === '' ? page : normalize(join(dirname(page), file));
    return !existsSync(join(root, path)) || (anchor !== undefined && !anchorsOf(path).includes(anchor));
  });
  expect(broken).toEqual([]);
});

const anchorsOf = (page: string): string[] =>
  Array.from(prose(page).matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
