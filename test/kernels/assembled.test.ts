/** What one start has assembled the next one finds, and a damaged entry or no place for one is as good as none. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AssembledModules } from '../../src/kernels/cpu/wasm/assembled.ts';

const code = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
let folder: string;
let assembled: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-assembled-'));
  assembled = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

async function start(text: string, place: string | null = folder): Promise<number[]> {
  const found = await new AssembledModules(place ?? undefined).codeOf(text, () => {
    assembled += 1;
    return Promise.resolve(code);
  });
  return [...found];
}

it('assembles a text once, and leaves one file for it', async () => {
  for (let i = 0; i < 3; i++) expect(await start('(module)')).toEqual([...code]);
  expect(assembled).toBe(1);
  expect(readdirSync(folder)).toHaveLength(1);
});

it('assembles another text for itself', async () => {
  await start('(module)');
  await start('(module )');
  expect(assembled).toBe(2);
  expect(readdirSync(folder)).toHaveLength(2);
});

it.each([
  ['a byte of it is another', (entry: Buffer) => Buffer.concat([entry.subarray(0, -1), Buffer.of(entry.at(-1)! ^ 1)])],
  ['it was cut short', (entry: Buffer) => entry.subarray(0, -1)],
  ['it is empty', (entry: Buffer) => entry.subarray(0, 0)],
])('assembles anew, and mends what is kept, where %s', async (_, damage) => {
  await start('(module)');
  const [path] = readdirSync(folder).map((name) => join(folder, name));
  const whole = readFileSync(path);
  writeFileSync(path, damage(Buffer.from(whole)));
  expect(await start('(module)')).toEqual([...code]);
  expect(assembled).toBe(2);
  expect(readFileSync(path)).toEqual(whole);
});

it('assembles each time where there is no folder, or none that can be written', async () => {
  writeFileSync(join(folder, 'file'), '');
  for (const place of [null, join(folder, 'none'), join(folder, 'file')])
    for (let i = 0; i < 2; i++) expect(await start('(module)', place)).toEqual([...code]);
  expect(assembled).toBe(6);
  expect(readdirSync(folder)).toEqual(['file']);
});

it('throws what the toolkit says of a text that is no module, and keeps nothing', async () => {
  const refusal = new Error('1:1: unexpected token');
  await expect(new AssembledModules(folder).codeOf('(', () => Promise.reject(refusal))).rejects.toBe(refusal);
  expect(readdirSync(folder)).toEqual([]);
});
