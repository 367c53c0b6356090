/** Code that comes with a checkpoint: it is named by where it truly lies, and runs only where that is allowed. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { checkForeignCode } from '../../src/run/foreign_code.ts';
import { defineTopology } from '../../src/topology/index.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'troupe-code-')));
const baseDir = join(root, 'runs', 'given');
mkdirSync(baseDir, { recursive: true });
writeFileSync(join(root, 'mine.ts'), '');
symlinkSync(join(root, 'mine.ts'), join(baseDir, 'innocent.ts'));
afterAll(() => rmSync(root, { recursive: true }));

const check = (sublayers: string | null, isAllowed = false): void =>
  checkForeignCode('checkpoint c', { topology: defineTopology({ model: { sublayers } }), baseDir, isAllowed });

it.each([
  ['inside of it', 'own.ts', join(baseDir, 'own.ts')],
  ['outside of it', '../../mine.ts', join(root, 'mine.ts')],
  ['behind a link', 'innocent.ts', join(root, 'mine.ts')],
  ['anywhere', '/etc/hostname', '/etc/hostname'],
])('is refused and named where it lies: %s', (_where, sublayers, file) => {
  expect(() => check(sublayers)).toThrow(
    `checkpoint c: its model is code, the module ${file}; give --allow-code to run it, if you trust it`,
  );
});

it('may run where that was allowed, and there is nothing to allow without a module', () => {
  expect(() => check('../../mine.ts', true)).not.toThrow();
  expect(() => check(null)).not.toThrow();
});
