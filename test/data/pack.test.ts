/** Packing: the stream on disk, its index, reuse by digest, and what damage or a full disk leads to. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BytesTokenizer,
  DamagedPack,
  PackNotWritten,
  PackedCorpus,
  loadTokenizer,
  packBlend,
  packCorpus,
} from '../../src/data/index.ts';
import type { PackOptions } from '../../src/data/index.ts';
import { byteLevelBpe } from './tokenizers/byte_level_bpe.ts';
import { allOf, poolOfFile, rejectionOf, scratchFolder, spec, thrownBy } from './scratch.ts';

const pool = poolOfFile();
const TEXTS = { 'b.txt': 'second', 'a.txt': 'first\0', 'c.txt': 'second' };

function options(baseDir: string, fields: Partial<PackOptions> = {}): PackOptions {
  const cacheDir = join(baseDir, 'cache');
  return { baseDir, cacheDir, tokenizer: new BytesTokenizer(), heldOutFraction: 0.1, blockTokens: 4096, ...fields };
}

describe('pack', () => {
  it('writes documents in order, each ended by the separator, and an index that describes them', async () => {
    const folder = scratchFolder(TEXTS);
    const result = await packCorpus(spec(), options(folder), pool);
    const stream = Buffer.from('first\0second\0');
    expect(Buffer.from(allOf(result.corpus))).toEqual(stream);
    expect(readFileSync(join(result.folder, 'texts.bin'))).toEqual(stream);
    expect(readdirSync(result.folder).sort()).toEqual(['index.json', 'texts.bin']);
    expect(result.folder).toBe(join(folder, 'cache', result.corpus.digest));
    expect(result.corpus.index).toEqual({
      version: 2,
      name: 'texts',
      digest: result.corpus.digest,
      tokenizer: 'bytes',
      vocabSize: 256,
      separatorId: 0,
      dtype: 'u8',
      tokenCount: 13,
      documentCount: 2,
      emptyRows: 0,
      bytes: 12,
      textBytes: 12,
      filesFound: 3,
      skipped: { empty: 0, tooLarge: 0, notUtf8: 0, duplicate: 1, notAFile: 0, ownOutput: 0 },
      heldOutFraction: 0.1,
      blockTokens: 4096,
      heldOut: [],
      sha256: createHash('sha256').update(stream).digest('hex'),
    });
  });

  it('stores a larger vocabulary in two bytes, little-endian', async () => {
    const folder = scratchFolder({ 'a.txt': 'hel', 'tokenizer.json': byteLevelBpe() });
    const tokenizer = loadTokenizer('hf:tokenizer.json', folder);
    const { corpus, folder: packed } = await packCorpus(spec(), options(folder, { tokenizer }), pool);
    expect(allOf(corpus)).toEqual(Uint16Array.of(257, 258));
    expect([...readFileSync(join(packed, 'texts.bin'))]).toEqual([1, 1, 2, 1]);
  });

  it('reuses what is packed, without writing', async () => {
    const folder = scratchFolder(TEXTS);
    const first = await packCorpus(spec(), options(folder), pool);
    const written = statSync(join(first.folder, 'texts.bin'), { bigint: true }).mtimeNs;
    const second = await packCorpus(spec(), options(folder), pool);
    expect([first.reused, second.reused]).toEqual([false, true]);
    expect(second.corpus).toEqual(first.corpus);
    expect(statSync(join(first.folder, 'texts.bin'), { bigint: true }).mtimeNs).toBe(written);
  });

  it('gives another digest to another content, file name, tokenizer, format, name or held-out fraction', async () => {
    const digest = async (
      files: Record<string, string>,
      fields = {},
      packing: Partial<PackOptions> = {},
    ): Promise<string> => {
      const folder = scratchFolder({ ...files, 'tokenizer.json': byteLevelBpe() });
      return (await packCorpus(spec(fields), options(folder, packing), pool)).corpus.digest;
    };
    const hf = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': byteLevelBpe() }));
    const files = { 'a.txt': '"1"', 'b.txt': '"2"' };
    const digests = [
      await digest(files),
      await digest({ ...files, 'b.txt': '"3"' }),
      await digest({ 'a.txt': '"1"', 'c.txt': '"2"' }),
      await digest(files, {}, { tokenizer: hf }),
      await digest(files, { format: 'json_strings' }),
      await digest(files, { name: 'other' }),
      await digest(files, {}, { heldOutFraction: 0.2 }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    expect(await digest(files, { weight: 7 })).toBe(digests[0]);
  });

  it.each([
    ['cut short', (folder: string) => truncateSync(join(folder, 'texts.bin'), 5), 'it has 5 bytes, not 13'],
    [
      'changed',
      (folder: string) => writeFileSync(join(folder, 'texts.bin'), 'First\0second\0'),
      'its content is not what its index says',
    ],
    ['lost', (folder: string) => rmSync(join(folder, 'texts.bin')), 'it cannot be opened'],
    ['with a broken index', (folder: string) => writeFileSync(join(folder, 'index.json'), '{'), 'it is not JSON'],
    ['without an index', (folder: string) => rmSync(join(folder, 'index.json')), 'it has no readable index'],
  ])('refuses to open a stream %s, and packs it again', async (_, damage, reason) => {
    const base = scratchFolder(TEXTS);
    const { folder, corpus } = await packCorpus(spec(), options(base), pool);
    const written = allOf(corpus);
    damage(folder);
    const error = thrownBy(() => PackedCorpus.open(folder));
    expect(error).toBeInstanceOf(DamagedPack);
    expect(error).toHaveProperty('message', expect.stringContaining(`: ${reason}; remove that folder`));
    const again = await packCorpus(spec(), options(base), pool);
    expect(again.reused).toBe(false);
    expect(again.corpus).toEqual(corpus);
    expect(allOf(again.corpus)).toEqual(written);
  });

  it('packs again what an earlier version has packed', async () => {
    const base = scratchFolder(TEXTS);
    const { folder, corpus } = await packCorpus(spec(), options(base), pool);
    const index: unknown = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
    writeFileSync(join(folder, 'index.json'), JSON.stringify(Object.assign({}, index, { version: 1 })));
    const again = await packCorpus(spec(), options(base), pool);
    expect([again.reused, again.folder]).toEqual([false, folder]);
    expect(again.corpus).toEqual(corpus);
  });

  it('keeps the digest of texts that runs have in their checkpoints', async () => {
    const folder = scratchFolder({ ...TEXTS, 'd.txt': '\ufeffmarked' });
    for (const format of ['auto', 'text'] as const) {
      const { corpus } = await packCorpus(spec({ format }), options(folder), pool);
      expect(corpus.digest).toBe('53f87cb1957b43bb639fe253ec2b64fd53e6b5c713ce708e28ea8b0f0f930736');
    }
  });

  it('reads from the disk, and says so when the stream is gone or cut', async () => {
    const { folder, corpus } = await packCorpus(spec(), options(scratchFolder(TEXTS)), pool);
    const all = allOf(corpus);
    expect(corpus.read(2, 7)).toEqual(all.slice(2, 7));
    expect(corpus.read(3, 3)).toHaveLength(0);
    truncateSync(join(folder, 'texts.bin'), 5);
    expect(thrownBy(() => corpus.read(2, 7))).toHaveProperty('message', expect.stringContaining('it ends at byte 5'));
    rmSync(join(folder, 'texts.bin'));
    expect(thrownBy(() => corpus.read(2, 7))).toBeInstanceOf(DamagedPack);
  });

  it('writes nothing at all where a file is not what its format says', async () => {
    const folder = scratchFolder({ 'a.txt': '"fine"', 'b.txt': 'no JSON' });
    const error = await rejectionOf(packCorpus(spec({ format: 'json_strings' }), options(folder), pool));
    expect(error).toHaveProperty('tag', 'UnreadableFile');
    expect(existsSync(join(folder, 'cache'))).toBe(false);
  });

  it('names the file whose text the tokenizer has no ids for, and leaves no partial file', async () => {
    const model = { type: 'WordLevel', vocab: { '</s>': 0, hello: 1 }, unk_token: '[UNK]' };
    const json = JSON.stringify({ model, pre_tokenizer: { type: 'WhitespaceSplit' }, added_tokens: [] });
    const folder = scratchFolder({ 'a.txt': 'hello', 'b.txt': 'zebra', 'tokenizer.json': json });
    const tokenizer = loadTokenizer('hf:tokenizer.json', folder);
    const error = await rejectionOf(packCorpus(spec(), options(folder, { tokenizer }), pool));
    expect(error).toHaveProperty('tag', 'UnreadableFile');
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/b\.txt: .*tokenizer\.json gives no ids for "zebra": /),
    );
    const [digest] = readdirSync(join(folder, 'cache'));
    expect(readdirSync(join(folder, 'cache', digest))).toEqual([]);
  });

  it('says what to do where the cache cannot be written', async () => {
    const folder = scratchFolder({ ...TEXTS, cache: 'a file in the way' });
    const error = await rejectionOf(packCorpus(spec(), options(folder), pool));
    expect(error).toBeInstanceOf(PackNotWritten);
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(/; remove what is in its place, or set data\.cache_dir to another folder$/),
    );
  });

  it('keeps a corpus whose name is no file name', async () => {
    const folder = scratchFolder(TEXTS);
    const result = await packCorpus(spec({ name: '../a b' }), options(folder), pool);
    expect(existsSync(join(result.folder, '..%2Fa%20b.bin'))).toBe(true);
    expect(PackedCorpus.open(result.folder).name).toBe('../a b');
  });

  it('packs a blend in order, reports each corpus, and stops when told to', async () => {
    const folder = scratchFolder({ 'a.txt': 'a'.repeat(40), 'b.md': 'b'.repeat(40) });
    const corpora = [spec({ weight: 3 }), spec({ name: 'notes', globs: ['*.md'], weight: 1 })];
    const seen: string[] = [];
    const packed = await packBlend({
      ...options(folder),
      corpora,
      seed: 1,
      observe: ({ corpus }) => seen.push(corpus.name),
    });
    expect(seen).toEqual(['texts', 'notes']);
    expect(packed.blend.shares).toEqual([0.75, 0.25]);
    expect(packed.folders.map((path) => PackedCorpus.open(path).name)).toEqual(seen);
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(packBlend({ ...options(folder), corpora, seed: 1, signal })).rejects.toThrow('stop');
  });
});
