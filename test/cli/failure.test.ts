/** Anything thrown becomes one line and an exit code. */
import { expect, test } from 'vitest';
import { StepNotPassing, Unstable } from '../../src/actors/training/sentinel.ts';
import { canGoOn, failureOf, lineOf, reportFailure } from '../../src/cli/failure.ts';
import { Output } from '../../src/cli/output.ts';
import { RunDirectoryGone, RunDirectoryRefused } from '../../src/telemetry/index.ts';
import { ConfigError } from '../../src/topology/index.ts';

class OutOfMemory extends Error {
  readonly tag = 'OutOfMemory';
}

test.each<[string, unknown, string, number]>([
  ['a config error', new ConfigError('a.yaml:1:1', 'name', 'found 3'), 'troupe: a.yaml:1:1: name: found 3', 2],
  ['a refused directory', new RunDirectoryRefused('d', 'is a file'), 'troupe: run directory d: is a file', 2],
  ['a tagged error without a code', new OutOfMemory('slice full'), 'troupe: slice full', 1],
  [
    'an error of ours',
    new TypeError('x is undefined'),
    'troupe: TypeError: x is undefined (unexpected; --verbose shows where)',
    1,
  ],
  [
    'an error of no memory',
    new RangeError('Array buffer allocation failed'),
    'troupe: Array buffer allocation failed; out of memory: end other programs, or make the model, the microbatch or the number of workers smaller',
    1,
  ],
  [
    'a tagged error of no memory, which has its own remedy',
    new OutOfMemory('out of memory'),
    'troupe: out of memory',
    1,
  ],
  ['a long message', new OutOfMemory('one\n  two\n'), 'troupe: one two', 1],
  [
    'a name that a terminal would obey',
    new OutOfMemory('a\u001b[2J\u009b1mb\u007f'),
    'troupe: a\\x1b[2J\\x9b1mb\\x7f',
    1,
  ],
  ['something that is no error', 'oops', 'troupe: oops', 1],
])('%s', (_what, thrown, line, exitCode) => {
  expect(failureOf(thrown)).toEqual({ line, more: [], exitCode });
});

test('nothing that a terminal would obey is in the further lines, the stack or a notice', () => {
  const foreign = 'k\u001b]0;title\u0007';
  const written: string[] = [];
  const sink = { write: (text: string, taken: () => void) => (written.push(text), taken()), on: () => undefined };
  reportFailure(
    new ConfigError('a.yaml:1:1', 'name', foreign, [new ConfigError('a.yaml:2:1', foreign, 'unknown')]),
    new Output(sink, 'standard error'),
    true,
  );
  expect(written.join('')).toContain('k\\x1b]0;title\\x07');
  expect(`${written.join('')}${lineOf(foreign)}`).not.toMatch(/[^\P{Cc}\n]/u);
});

test('a failed run may be gone on with, but for one that fails the same again or is somewhere else', () => {
  const errors = [
    new StepNotPassing(3, 4, 'a link'),
    new OutOfMemory('slice full'),
    new TypeError('x is undefined'),
    new Unstable(3, 'loss is NaN'),
    new RunDirectoryGone('d'),
  ];
  expect(errors.map(canGoOn)).toEqual([true, true, true, false, false]);
});
