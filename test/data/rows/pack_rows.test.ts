/** Packed samples: what is on disk is what the sampler makes, in any number of threads, and it is found again. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { hashU32 } from '../../../src/data/hash.ts';
import {
  BytesTokenizer,
  checkRows,
  CHATML_TOKENS,
  PackPool,
  packPlacedRows,
  packRows,
  placeRows,
  RowSequences,
} from '../../../src/data/index.ts';
import type { PackRowsOptions, RowsSpec } from '../../../src/data/index.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-rows-'));
afterAll(() => rmSync(root, { recursive: true }));

const chat = (i: number): string =>
  JSON.stringify({
    messages: [
      { role: 'user', content: `Say ${i}.` },
      { role: 'assistant', content: 'x'.repeat(1 + (hashU32(i) % 40)) },
    ],
  });
const rows = Array.from({ length: 300 }, (_, i) => chat(i));
writeFileSync(join(root, 'chats.jsonl'), `${rows.join('\n')}\n`);
writeFileSync(
  join(root, 'rated.jsonl'),
  `${[0, 1, 2]
    .map((i) => JSON.stringify({ prompt: `Say ${i}.`, response: 'No.', helpfulness: i, verbosity: 4 - i }))
    .join('\n')}\n`,
);

const spec: RowsSpec = { name: 'chats', globs: ['chats.jsonl'], exclude: [], columns: {} };
const options: PackRowsOptions = {
  baseDir: root,
  cacheDir: join(root, 'cache'),
  tokenizer: new BytesTokenizer().withSpecials(CHATML_TOKENS),
  kinds: ['chat'],
  sampler: { sequenceLength: 96, trainOn: 'assistant', keep: 'start', overlong: 'truncate' },
  isPacked: false,
  heldOutFraction: 0.1,
};

const packed = async (changes: Partial<PackRowsOptions> = {}, threads = 2, of: RowsSpec = spec) => {
  await using pool = new PackPool({ threads });
  return await packRows(of, { ...options, ...changes }, pool);
};

/** Every sequence of an epoch. */
const epochOf = (sequences: RowSequences, epoch = 0) =>
  Array.from({ length: sequences.count }, (_, i) => sequences.sequence(epoch * sequences.count + i));
const textOf = (tokens: Int32Array): string => options.tokenizer.decode(tokens);

describe('packed rows', () => {
  it('are all there, some of them held out, and only answers are targets', async () => {
    const { rows: all } = await packed();
    const { index } = all;
    expect(index.train.samples + index.heldOut.samples).toBe(300);
    expect(index.heldOut.samples).toBeGreaterThan(10);
    const parts = (['train', 'heldOut'] as const).flatMap((part) => epochOf(new RowSequences(all, part, null)));
    const texts = parts.map(({ tokens }) => textOf(tokens));
    expect(new Set(texts.map((text) => /Say \d+\./.exec(text)?.[0])).size).toBe(300);
    for (const { tokens, targets } of parts) {
      const learnt = targets.filter((target) => target >= 0);
      expect(textOf(learnt)).toMatch(/^x+<\|im_end\|>$/);
      expect(targets.at(-1)).toBe(-1);
      for (let i = 0; i + 1 < tokens.length; i++) if (targets[i] >= 0) expect(targets[i]).toBe(tokens[i + 1]);
    }
  });

  it('are opened again where they were packed before, and are the same with any number of threads', async () => {
    const first = await packed({ cacheDir: join(root, 'one') }, 1);
    const other = await packed({ cacheDir: join(root, 'other') }, 3);
    expect(other.rows.index).toEqual(first.rows.index);
    expect([first.reused, other.reused, (await packed({ cacheDir: join(root, 'one') })).reused]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('are packed anew once the sequence, the tokenizer or what is learnt is another', async () => {
    const digests = [
      await packed(),
      await packed({ sampler: { ...options.sampler, sequenceLength: 64 } }),
      await packed({ sampler: { ...options.sampler, trainOn: 'all' } }),
      await packed({ isPacked: true }),
    ].map(({ rows: { digest } }) => digest);
    expect(new Set(digests).size).toBe(4);
  });

  it('of an epoch are each there once, in an order that the seed and the epoch decide', async () => {
    const { rows: all } = await packed();
    const orderOf = (seed: number, epoch: number): string[] =>
      epochOf(new RowSequences(all, 'train', seed), epoch).map(({ tokens }) => textOf(tokens));
    const [first, again, next, other] = [orderOf(1, 0), orderOf(1, 0), orderOf(1, 1), orderOf(2, 0)];
    expect(again).toEqual(first);
    for (const order of [next, other]) {
      expect(order).not.toEqual(first);
      expect(order.toSorted()).toEqual(first.toSorted());
    }
  });

  it('that lie in one sequence know where they begin, and weigh what their targets are', async () => {
    const { rows: all } = await packed({ isPacked: true });
    const sequences = new RowSequences(all, 'train', 3);
    expect(sequences.count).toBeLessThan(all.index.train.samples / 1.5);
    let targets = 0;
    for (const [i, { tokens, targets: own, begins }] of epochOf(sequences).entries()) {
      expect(tokens.length).toBeLessThanOrEqual(96);
      const weight = own.filter((target) => target >= 0).length;
      expect(sequences.weightOf(i)).toBe(weight);
      targets += weight;
      for (const [at, begin] of begins!.entries()) {
        expect(begin === at).toBe(
          textOf(tokens.subarray(at, at + 1)) === '<|im_start|>' &&
            /user/.test(textOf(tokens.subarray(at + 1, at + 5))),
        );
      }
    }
    expect(targets).toBeGreaterThan(300);
  });

  it('of attributes have labels, those that are missing masked', async () => {
    const rated = { ...spec, name: 'rated', globs: ['rated.jsonl'] };
    const { rows: all } = await packed({ kinds: ['attributes'], heldOutFraction: 0 }, 1, rated);
    const sequences = epochOf(new RowSequences(all, 'train', null));
    expect(sequences.map(({ labels }) => [...labels!])).toEqual([0, 1, 2].map((i) => [i, NaN, NaN, NaN, 4 - i]));
    expect(new RowSequences(all, 'train', null).weightOf(1)).toBe(2);
  });

  it('of another kind than the objective learns from are refused before anything is written', async () => {
    await expect(packed({ kinds: ['attributes'], cacheDir: join(root, 'none') })).rejects.toMatchObject({
      tag: 'BadRow',
      message: expect.stringMatching(
        /chats\.jsonl:1: a row of the kind chat, where rows of attributes are learnt from; set objective\.kind/,
      ) as unknown,
    });
  });

  it.each([
    ['no JSON', 'oh', /bad\.jsonl:301: it is not JSON/],
    ['of another kind', '{"text":"a"}', /bad\.jsonl:301: the row has "text"/],
    ['without an answer', '{"messages":[{"role":"user","content":"a"}]}', /bad\.jsonl:301: messages: there is no turn/],
  ])('are refused before any is packed where the last one is %s', async (_what, last, message) => {
    writeFileSync(join(root, 'bad.jsonl'), `${rows.join('\n')}\n${last}\n`);
    const cacheDir = join(root, 'refused');
    const refused = packed({ cacheDir }, 1, { ...spec, globs: ['bad.jsonl'] });
    await expect(refused).rejects.toMatchObject({ tag: 'BadRow', message: expect.stringMatching(message) as unknown });
    expect(existsSync(cacheDir)).toBe(false);
  });

  it('count the bytes of their files as they are read, once to look at them and once to pack them', async () => {
    const text = `${JSON.stringify({ text: 'é👋'.repeat(50_000) })}\n\n`.repeat(9);
    writeFileSync(join(root, 'count.jsonl'), text);
    writeFileSync(join(root, 'count.jsonl.gz'), gzipSync(text));
    const bytes = ['count.jsonl', 'count.jsonl.gz'].reduce((sum, name) => sum + statSync(join(root, name)).size, 0);
    await using pool = new PackPool({ threads: 2 });
    const texts: PackRowsOptions = { ...options, kinds: ['text'] };
    const placed = await placeRows({ ...spec, globs: ['count.jsonl*'] }, texts, pool);
    expect([placed.bytes, placed.isPacked]).toEqual([bytes, false]);
    pool.beginCount();
    await checkRows(placed.found, texts, pool);
    expect(pool.bytesRead).toBe(bytes);
    pool.beginCount();
    await packPlacedRows(placed, texts, pool);
    expect(pool.bytesRead).toBe(bytes);
  });
});
