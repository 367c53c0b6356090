import { expect, test } from 'vitest';
import { checkNode } from '../../../src/cli/checks/node.ts';
import { isAtLeast, parseVersion, showVersion } from '../../../src/cli/checks/version.ts';

test.each([
  ['24.21.0', [24, 21, 0]],
  ['v2.9.10', [2, 9, 10]],
  ['nats-server: v2.10.0-RC.1', [2, 10, 0]],
  ['2.9', [2, 9, 0]],
  ['25.0.0-nightly20260101', [25, 0, 0]],
])('%j has a version', (text, version) => {
  expect(parseVersion(text)).toEqual(version);
});

test.each(['', 'nats-server', 'seven', 'v2'])('%j has none', (text) => {
  expect(parseVersion(text)).toBeNull();
});

test.each([
  ['2.9.0', '2.9.0', true],
  ['2.9.10', '2.9.9', true],
  ['2.10.0', '2.9.5', true],
  ['3.0.0', '2.9.5', true],
  ['2.8.9', '2.9.0', false],
  ['1.99.99', '2.0.0', false],
  ['2.9.0', '2.9.1', false],
])('%s is at least %s: %s', (version, least, is) => {
  expect(isAtLeast(parseVersion(version)!, parseVersion(least)!)).toBe(is);
});

test('a version is shown as it was', () => {
  expect(showVersion([2, 9, 10])).toBe('2.9.10');
});

test('Node is new enough from 24 on', () => {
  expect(checkNode()).toMatchObject({ check: 'node', mark: 'ok', found: process.versions.node, mend: null });
  expect(checkNode('24.0.0').mark).toBe('ok');
  expect(checkNode('23.11.1')).toMatchObject({
    mark: 'fail',
    found: '23.11.1, and 24 is needed',
    mend: "run 'npm install' and then 'npx troupe', which uses the Node that came with it",
    facts: { version: '23.11.1' },
  });
});
