/** Packing on threads: the same for any number of them, heard when it is told to stop, and nothing left behind. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BadTokenizer,
  BytesTokenizer,
  PackPool,
  hashU32,
  loadTokenizer,
  packBlend,
  packCorpus,
  rehearseBlend,
} from '../../src/data/index.ts';
import { partialName } from '../../src/data/cache_file.ts';
import type { PackBlendOptions } from '../../src/data/index.ts';
import { thisProcess, type ProcessIdentity } from '../../src/process_identity.ts';
import { interruptedPool, rejectionOf, scratchFolder, spec } from './scratch.ts';

const gpt2 = readFileSync(new URL('golden/tokenizers/gpt2_small/tokenizer.json', import.meta.url));
const words = Array.from({ length: 200_000 }, (_, i) => `${hashU32(i).toString(36)}${i % 9 === 0 ? '\n' : ' '}`).join(
  '',
);

function options(baseDir: string, fields: Partial<PackBlendOptions> = {}): PackBlendOptions {
  const corpora = [spec({ maxFileBytes: 2 ** 33 })];
  const tokenizer = new BytesTokenizer();
  const rest = { tokenizer, heldOutFraction: 0.1, blockTokens: 4096, seed: 1, corpora };
  return { baseDir, cacheDir: join(baseDir, 'cache'), ...rest, ...fields };
}

describe('packing on threads', () => {
  it.each([
    ['bytes', words.repeat(7)],
    ['hf:tokenizer.json', words.slice(0, 1.1 * 2 ** 20)],
  ])('gives the same stream on 1 and on 4 threads with %s', async (name, long) => {
    const folder = scratchFolder({ 'tokenizer.json': gpt2 });
    // One of several pieces among small ones.
    for (let i = 0; i < 40; i++) writeFileSync(join(folder, `${i}.txt`), words.slice(i * 300, i * 333 + 200));
    writeFileSync(join(folder, '7.txt'), long);
    const tokenizer = loadTokenizer(name, folder);
    const streams = [];
    for (const threads of [1, 4]) {
      const cacheDir = join(folder, `cache of ${threads}`);
      const { blend } = await packBlend(options(folder, { tokenizer, threads, cacheDir }));
      const { sha256, tokenCount } = blend.corpora[0].index;
      streams.push([blend.digest, sha256, tokenCount]);
    }
    expect(streams[1]).toEqual(streams[0]);
  });

  it('rehearses to the length and the digest that packing gives', async () => {
    const folder = scratchFolder({ 'a.txt': words, 'b.txt': '\ufeffmarked' });
    const { blend: packed } = await packBlend(options(folder));
    const { blend: rehearsed } = await rehearseBlend(options(folder));
    expect(rehearsed.digest).toBe(packed.digest);
    expect(rehearsed.corpora[0].index.tokenCount).toBe(packed.corpora[0].index.tokenCount);
  });

  it('tells how many bytes are done of how many', async () => {
    const folder = scratchFolder({ 'a.txt': words });
    await using pool = new PackPool({ threads: 1 });
    pool.beginCount();
    const paths = [join(folder, 'a.txt')];
    await pool.examine({ paths, format: 'text', maxFileBytes: 2 ** 30, cuts: 'bytes' });
    expect(pool.bytesRead).toBe(words.length);
  });

  it('rejects with the reason of an abort while a thread reads, at once and from then on', async () => {
    const folder = scratchFolder({ 'a.txt': words.repeat(20) });
    const controller = new AbortController();
    await using pool = new PackPool({ threads: 1, signal: controller.signal });
    const examine = () =>
      pool.examine({ paths: [join(folder, 'a.txt')], format: 'text', maxFileBytes: 2 ** 30, cuts: 'bytes' });
    const underWay = examine();
    controller.abort(new Error('interrupted'));
    expect(await rejectionOf(underWay)).toHaveProperty('message', 'interrupted');
    expect(await rejectionOf(examine())).toHaveProperty('message', 'interrupted');
    expect(pool.bytesRead).toBeLessThan(20 * words.length);
  });

  it('hears an abort in a pause, which rejects with its reason', async () => {
    const controller = new AbortController();
    await using pool = new PackPool({ threads: 1, signal: controller.signal });
    await pool.pause();
    setImmediate(() => controller.abort(new Error('interrupted')));
    await expect(pool.pause()).rejects.toThrow('interrupted');
  });

  it('leaves no partial file when it is aborted while it writes', async () => {
    const folder = scratchFolder({ 'a.txt': words.repeat(20) });
    await using pool = interruptedPool();
    const error = await rejectionOf(packCorpus(spec({ maxFileBytes: 2 ** 33 }), options(folder), pool));
    expect(error).toHaveProperty('message', 'interrupted');
    const left = readdirSync(join(folder, 'cache'), { recursive: true, encoding: 'utf8' });
    expect(left.filter((name) => name.includes('.'))).toEqual([]);
  });

  it('says of a tokenizer that went or changed meanwhile what its loading would', async () => {
    const folder = scratchFolder({ 'a.txt': words.slice(0, 100), 'tokenizer.json': gpt2, 'gone.json': gpt2 });
    const refusal = async (name: string, change: (path: string) => void): Promise<unknown> => {
      const tokenizer = loadTokenizer(`hf:${name}`, folder);
      change(join(folder, name));
      return await rejectionOf(packBlend(options(folder, { tokenizer, threads: 1 })));
    };
    const gone = await refusal('gone.json', (path) => rmSync(path));
    expect(gone).toBeInstanceOf(BadTokenizer);
    expect(gone).toHaveProperty('message', expect.stringMatching(/^tokenizer 'hf:.*': cannot read .*ENOENT.*; check/));
    const changed = await refusal('tokenizer.json', (path) => appendFileSync(path, '\n'));
    expect(changed).toBeInstanceOf(BadTokenizer);
    expect(changed).toHaveProperty(
      'message',
      expect.stringMatching(/': it changed while texts were packed; launch again$/),
    );
  });

  it('ends while an answer is under way', async () => {
    const folder = scratchFolder({ 'a.txt': 'text' });
    const options = { paths: [join(folder, 'a.txt')], format: 'text', maxFileBytes: 2 ** 30, cuts: 'bytes' } as const;
    for (let round = 0; round < 5; round++) {
      await using pool = new PackPool({ threads: 1 });
      await pool.examine(options);
      pool.beginCount();
      const examined = rejectionOf(pool.examine(options));
      // This thread hears of nothing meanwhile, so that the answer waits for it.
      while (pool.bytesRead === 0) hashU32(0);
      for (let i = 0; i < 1e6; i++) hashU32(i);
      const ended = pool[Symbol.asyncDispose]();
      expect(await examined).toBeInstanceOf(Error);
      await ended;
    }
  });

  it('removes partial files of processes that are gone, and no others', async () => {
    const folder = scratchFolder({ 'a.txt': 'some text' });
    const digest = join(folder, 'cache', 'b'.repeat(64));
    mkdirSync(digest, { recursive: true });
    const { pid: gone } = spawnSync(process.execPath, ['-e', '']);
    const partial = (owner: Partial<ProcessIdentity>): string =>
      join(digest, partialName('texts.bin', { ...thisProcess(), ...owner }));
    const ownerless = (): string => join(digest, `texts.bin.${crypto.randomUUID()}.partial`);
    const kept = [partial({}), partial({ pid: gone, host: 'another.machine' }), ownerless()];
    const removed = [partial({ pid: gone }), partial({ started: '1' }), ownerless()];
    // A container beside this one, which may have the same hostname.
    if (process.platform === 'linux') {
      kept.push(partial({ pid: gone, pidSpace: 'pid:[1]' }));
      removed.push(partial({ boot: 'earlier' }));
    }
    for (const path of [...kept, ...removed]) writeFileSync(path, 'x');
    utimesSync(removed[2], 0, 0);
    await packBlend(options(folder));
    expect(kept.filter((path) => !existsSync(path))).toEqual([]);
    expect(removed.filter((path) => existsSync(path))).toEqual([]);
  });
});

describe('a file too large for what reads it whole', () => {
  it.each([
    [
      'json_strings',
      'bytes',
      65,
      /a\.txt: it has 65 MiB, and format 'json_strings' reads a text as a whole, up to 64 MiB; cut it/,
    ],
    [
      'text',
      'hf:tokenizer.json',
      5,
      /a\.txt: it has 5\.0 MiB, and this tokenizer encodes a text as a whole, up to 4\.0 MiB; cut it/,
    ],
  ] as const)('is refused by name and size: %s with %s', async (format, name, mebibytes, line) => {
    const text = readFileSync(new URL('golden/tokenizers/llama2_like/tokenizer.json', import.meta.url));
    const folder = scratchFolder({ 'a.txt': '', 'tokenizer.json': text });
    // A hole: no disk is written.
    truncateSync(join(folder, 'a.txt'), mebibytes * 2 ** 20);
    const tokenizer = loadTokenizer(name, folder);
    const corpora = [spec({ format, maxFileBytes: 2 ** 33 })];
    const error = await rejectionOf(packBlend(options(folder, { tokenizer, corpora })));
    expect(error).toHaveProperty('message', expect.stringMatching(line));
  });
});
