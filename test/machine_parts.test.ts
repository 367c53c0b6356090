/** What is skipped where a machine lacks a part, and what is said about it. */
import { expect, test } from 'vitest';
import { isCi } from './ci.ts';
import { lackedParts, machineParts, SkippedTests } from './machine_parts.ts';

const parts = machineParts.map((part) => ({ ...part, isThere: () => Promise.resolve(part.tag === 'webgpu') }));

test('what is lacked is told, and under CI nothing is', async () => {
  expect((await lackedParts({}, parts)).map(({ tag }) => tag)).toEqual(['nats-server']);
  expect(await lackedParts({ CI: 'true' }, parts)).toEqual([]);
});

test.each([
  [undefined, false],
  ['', false],
  ['0', false],
  ['false', false],
  ['1', true],
  ['true', true],
])('CI=%s is CI: %s', (CI, expected) => {
  expect(isCi(CI === undefined ? {} : { CI })).toBe(expected);
});

test('the end of a run names the files with skipped tests, how many, and how to have them', () => {
  const lines: string[] = [];
  const skippedOf = (...tags: readonly string[][]) => ({
    children: { allTests: () => tags.map((each) => ({ tags: each })) },
  });
  const modules = [
    { moduleId: `${process.cwd()}/test/a.test.ts`, ...skippedOf(['nats-server'], ['nats-server', 'x'], []) },
    { moduleId: `${process.cwd()}/test/b.test.ts`, ...skippedOf(['webgpu']) },
  ];
  new SkippedTests(parts.slice(0, 1), (line) => lines.push(line)).onTestRunEnd(modules);
  expect(lines).toEqual([
    "\nskipped, since there is no nats-server here: 2 tests; 'npm run provide' installs it where it may",
    '  test/a.test.ts (2)',
  ]);
});
