/** The file that an application imports, beside the package that it passes on. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('it passes on every name of the package, in order', async () => {
  const text = readFileSync(new URL('../../bin/library.js', import.meta.url), 'utf8');
  const names = /export const \{([^}]*)\} = library;/
    .exec(text)?.[1]
    .split(',')
    .map((name) => name.trim());
  expect(names?.slice(0, -1)).toEqual(Object.keys(await import('../../src/index.ts')).sort());
});
