/** The reference pages have every verb, exit code, metric and event of the source. Errors: `test/cli/errors_page.test.ts`. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outcomeSchema } from '../../src/actors/protocol/trainer.ts';
import { exitCodes } from '../../src/cli/failure.ts';
import { blocksOf, pages, root, textOf } from './page.ts';
import { verbs } from './verbs.ts';

const source = (pattern: string): string =>
  globSync(pattern, { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');

/** The rows of the tables below a heading, up to the next one; each cell without its backquotes. */
function rowsBelow(page: string, heading: string): string[][] {
  const [, below = ''] = textOf(page).split(`\n${heading}\n`);
  const [section] = below.split(/^#/m);
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));
  return rows.slice(1).map((row) => row.slice(2, -2).split(' | '));
}

const codeIn = (cell: string): string[] => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code]) => code);

test('the command line lists each verb with all its options', () => {
  const [{ text }] = blocksOf('docs/reference/command-line.md');
  const listed = text.split('\n').flatMap((line) => {
    const [, verb] = /^troupe ([a-z]+)/.exec(line) ?? [];
    return verb === undefined ? [] : [[verb, (line.match(/--[a-z-]+/g) ?? []).sort()] as const];
  });
  expect(new Map(listed)).toEqual(verbs());
});

test('no option occurs twice in a table', () => {
  const tables = pages.flatMap((page) => textOf(page).match(/^\| option \|.*\n(?:\|.*\n)+/gm) ?? []);
  const optionsOf = (table: string) => Array.from(table.matchAll(/^\| `(--[a-z-]+)/gm), ([, option]) => option);
  expect(tables.length).toBeGreaterThan(3);
  const twice = tables.map(optionsOf).flatMap((names) => names.filter((name, at) => names.indexOf(name) !== at));
  expect(twice).toEqual([]);
});

test('the command line lists each exit code', () => {
  const listed = rowsBelow('docs/reference/command-line.md', '## Exit codes').map(([code]) => Number(code));
  expect(listed).toEqual(Object.values(exitCodes));
});

test('each key of a metrics line has a definition', () => {
  const keys = source('src/telemetry/step_metrics.ts').matchAll(/^ {2}readonly (\w+)\??:/gm);
  const listed = rowsBelow('docs/reference/metrics.md', '## `metrics.jsonl`').flatMap(([key]) => codeIn(key));
  expect(listed.sort()).toEqual(Array.from(keys, ([, key]) => key).sort());
});

test('each kind of event is explained, with its fields', () => {
  // A pause ends no run.
  const endings = outcomeSchema.shape.status.exclude(['paused']).options;
  const appended = new Map<string, string>();
  for (const [, kind, fields] of source('src/run/*.ts').matchAll(/events\.append\(([^,]+), \{ ([^}]*) \}\)/g)) {
    const kinds = Array.from(kind.matchAll(/'(\w+)'/g), ([, name]) => name);
    const names = fields.split(', ').map((field) => field.split(':')[0]);
    for (const name of kinds.length > 0 ? kinds : endings) appended.set(name, names.join(' '));
  }
  const rows = rowsBelow('docs/reference/metrics.md', '## `events.jsonl`');
  const listed = new Map(rows.map(([kind, fields]) => [codeIn(kind)[0], codeIn(fields).join(' ')]));
  expect(appended.size).toBeGreaterThan(8);
  expect(listed).toEqual(appended);
});
