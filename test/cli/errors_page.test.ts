/**
 * `docs/reference/errors.md` beside the source: every error that has a tag has a row, every row an error, and the exit
 * code is the one that the command ends with.
 */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { failureOf } from '../../src/cli/failure.ts';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const page = readFileSync(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8');

/** Exit codes of every tag in the source, by what its class declares. */
function codesInSource(): Map<string, string> {
  const classes = globSync('**/*.ts', { cwd: src }).flatMap((file) =>
    readFileSync(`${src}/${file}`, 'utf8').split(/^(?=(?:export )?class )/m),
  );
  return new Map(
    classes.flatMap((text) => {
      const tag = /^ {2}readonly tag = '(\w+)';$/m.exec(text)?.[1];
      if (tag === undefined) return [];
      const declared = /^ {2}readonly exitCode(?: =|:) ([\d| ]+);$/m.exec(text)?.[1].split(' | ') ?? [undefined];
      const codes = declared.map((code) => failureOf(errorWith(tag, code)).exitCode);
      return [[tag, codes.join(', ')] as const];
    }),
  );
}

function errorWith(tag: string, exitCode: string | undefined): Error {
  return Object.assign(new Error(tag), { tag }, exitCode === undefined ? {} : { exitCode: Number(exitCode) });
}

interface Row {
  readonly tag: string;
  readonly codes: string;
  readonly meaning: string;
  readonly remedy: string;
}

/** Rows of the page; the code is in a column of its own, in words, or 1. */
function rowsOfPage(): Row[] {
  return page.split('\n').flatMap((line) => {
    const [, tag, ...cells] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const name = /^`(\w+)`$/.exec(tag ?? '')?.[1];
    if (name === undefined) return [];
    const [meaning, remedy] = cells.slice(-3);
    const codes = cells.length === 4 ? cells[0] : (/Exit code (\d(?:, \d)*)/.exec(line)?.[1] ?? '1');
    return [{ tag: name, codes, meaning, remedy }];
  });
}

test('every tag of the source is on the page, once, and every tag of the page is in the source', () => {
  const tags = rowsOfPage().map(({ tag }) => tag);
  expect(tags.toSorted()).toEqual([...codesInSource().keys()].sort());
});

test('the page has the exit codes that the command ends with', () => {
  const onPage = rowsOfPage().map(({ tag, codes }) => [tag, codes] as const);
  expect(Object.fromEntries(onPage)).toEqual(Object.fromEntries(codesInSource()));
});

test('every row says what it means and what to do', () => {
  for (const { tag, meaning, remedy } of rowsOfPage()) {
    expect.soft(`${tag}: ${meaning}`).toMatch(/\w[^]*\.$/);
    expect.soft(`${tag}: ${remedy}`).toMatch(/: .*\.$/);
  }
});
