/** Modules of sublayers: which are taken, and what is said of the others. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadSublayers, sublayersDigest } from '../../src/models/load_sublayers.ts';
import { defineTopology } from '../../src/topology/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'troupe-sublayers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const load = (sublayers: string | null) => loadSublayers(defineTopology({ model: { sublayers } }), folder);

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

it('are the usual ones where the topology names no module', async () => {
  expect(await load(null)).toEqual({ sublayers: {}, family: null, digest: null });
});

it('stand in the place of those that a module exports, relative to the topology file', async () => {
  const { sublayers, digest } = await load(
    write('ffn.ts', 'export const feedForward = { weights: () => ({}), apply: (h: unknown) => h };'),
  );
  expect(Object.keys(sublayers)).toEqual(['feedForward']);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
});

it.each([
  ['none.ts', null, 'cannot be read \\(ENOENT\\); paths are relative to the topology file'],
  ['syntax.js', 'export const = 3;', 'cannot be imported: '],
  ['throws.js', 'throw new Error("no\\nluck");', 'cannot be imported: no'],
  ['empty.js', 'export default 3;', 'exports neither mixer nor feedForward nor family; export at least one of them'],
  ['data.js', 'export const family = {};', 'family is no function; export one that makes a model of a config'],
  [
    'half.js',
    'export const mixer = { apply() {} };',
    'mixer is no sublayer; export an object with the functions weights and apply',
  ],
])('%s is refused in one line', async (name, text, reason) => {
  if (text !== null) write(name, text);
  await expect(load(name)).rejects.toMatchObject({
    tag: 'BadSublayers',
    exitCode: 2,
    message: expect.stringMatching(new RegExp(`^model\\.sublayers ${join(folder, name)}: ${reason}.*$`)) as unknown,
  });
});

it('are hashed and compared before anything of them is run', async () => {
  const trace = join(folder, 'trace');
  const topology = defineTopology({
    model: {
      sublayers: write(
        'traced.ts',
        `import { writeFileSync } from 'node:fs';
        writeFileSync('${trace}', '');
        export const feedForward = { weights: () => ({}), apply: (h: unknown) => h };`,
      ),
    },
  });
  await expect(loadSublayers(topology, folder, '0'.repeat(64))).rejects.toMatchObject({
    tag: 'BadSublayers',
    message: `model.sublayers ${join(folder, 'traced.ts')}: was changed while the run began; start it again`,
  });
  const digest = sublayersDigest(topology, folder);
  expect(existsSync(trace)).toBe(false);
  expect(await loadSublayers(topology, folder, digest)).toMatchObject({ digest });
  expect(existsSync(trace)).toBe(true);
});
