/** The bytes of each token, in a file that workers read: written once, and never believed when it has changed. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { BytesTokenizer, packTokenBytes, readTokenBytes } from '../../src/data/index.ts';
import { scratchFolder, thrownBy } from './scratch.ts';

it('is what the tokenizer says, written once for all that pack with it', async () => {
  const cacheDir = scratchFolder();
  const tokenizer = new BytesTokenizer(['<|im_start|>']);
  const packed = await packTokenBytes(cacheDir, tokenizer);
  const { ino } = statSync(packed.path);
  expect(await packTokenBytes(cacheDir, tokenizer)).toEqual(packed);
  expect(statSync(packed.path).ino).toBe(ino);
  expect(readTokenBytes(packed)).toEqual(tokenizer.byteCounts());
  expect((await packTokenBytes(cacheDir, new BytesTokenizer())).path).not.toBe(packed.path);
});

it('is refused where it has changed since, and written anew by whoever packs', async () => {
  const cacheDir = scratchFolder();
  const packed = await packTokenBytes(cacheDir, new BytesTokenizer());
  const bytes = readFileSync(packed.path);
  bytes[400] ^= 1;
  writeFileSync(packed.path, bytes);
  expect(thrownBy(() => readTokenBytes(packed))).toHaveProperty('tag', 'DamagedPack');
  await packTokenBytes(cacheDir, new BytesTokenizer());
  expect(readTokenBytes(packed)[100]).toBe(1);
});
