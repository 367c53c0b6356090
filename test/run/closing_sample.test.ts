/** What a model is asked for at the end of a run, by what it was trained on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PackPool, packRows, type PackedRows, type Tokenizer } from '../../src/data/index.ts';
import { closingSample } from '../../src/run/closing_sample.ts';
import { rowsOptionsOf, tokenizerOf } from '../../src/run/corpus_specs.ts';
import type { GenerationOptions } from '../../src/run/generator.ts';
import { defineTopology, type Topology, type TopologyInput } from '../../src/topology/index.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-closing-'));
afterAll(() => rmSync(root, { recursive: true }));

const chat = (i: number): object => ({
  messages: [
    { role: 'user', content: `Say ${i}.` },
    { role: 'assistant', content: `${i}` },
    { role: 'user', content: 'Again.' },
    { role: 'assistant', content: `${i}` },
  ],
});

beforeAll(() => {
  const write = (name: string, rows: readonly object[]): void =>
    writeFileSync(join(root, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  write(
    'chats.jsonl',
    Array.from({ length: 8 }, (_, i) => chat(i)),
  );
  write('one.jsonl', [chat(0)]);
  write('plain.jsonl', [{ prompt: 'Say no: ', completion: 'no' }]);
});

/** What is asked for, and the sample of a model that says `yes`. */
async function asked(sections: TopologyInput, rows: string | null) {
  const topology = defineTopology({ ...sections, ...(rows === null ? {} : { data: { ...sections.data, rows } }) });
  const tokenizer = tokenizerOf(topology, root);
  const corpora = rows === null ? [] : [await packed(rows, topology, tokenizer)];
  const options: GenerationOptions[] = [];
  async function* generate(given: GenerationOptions): AsyncGenerator<string> {
    options.push(given);
    yield await Promise.resolve('yes');
  }
  const { signal } = new AbortController();
  const sample = await closingSample({ generate }, { topology, tokenizer, corpora, signal });
  return { sample, options, tokenizer };
}

async function packed(rows: string, topology: Topology, tokenizer: Tokenizer): Promise<PackedRows> {
  await using pool = new PackPool({ threads: 1 });
  const spec = { name: 'rows', globs: [rows], exclude: [], columns: {} };
  const options = { ...rowsOptionsOf(topology, tokenizer), baseDir: root, cacheDir: join(root, 'cache') };
  return (await packRows(spec, options, pool)).rows;
}

test('a model of texts goes on from two words, to the end of a document', async () => {
  const { sample, options } = await asked({}, null);
  expect(sample).toEqual({ prompt: 'The ', text: 'yes' });
  expect(options).toEqual([{ prompt: 'The ', maxTokens: 240, temperature: 0.7, seed: 1 }]);
});

test('a model of chats answers the first turn of a conversation that was held out, to the end of its turn', async () => {
  const { sample, options, tokenizer } = await asked({ objective: { kind: 'chat' } }, 'chats.jsonl');
  expect(sample).toEqual({
    prompt: expect.stringMatching(/^<\|im_start\|>user\nSay \d\.<\|im_end\|>\n<\|im_start\|>assistant\n$/) as unknown,
    text: 'yes',
  });
  expect(options[0].stopIds).toEqual([tokenizer.separatorId, tokenizer.tokenId('<|im_end|>')]);
});

test('where nothing is held out it is one of those that were learnt', async () => {
  const { sample } = await asked({ objective: { kind: 'chat' } }, 'one.jsonl');
  expect(sample?.prompt).toBe('<|im_start|>user\nSay 0.<|im_end|>\n<|im_start|>assistant\n');
});

test('where questions are learnt too it is half of one', async () => {
  const { sample } = await asked({ objective: { kind: 'chat' }, data: { train_on: 'all' } }, 'one.jsonl');
  expect(sample?.prompt).toMatch(/^<\|im_start\|>user\nSay 0\.<\|im_end\|>\n<\|im_start\|>assistant/);
});

test('a plain prompt is gone on from without a template', async () => {
  const { sample } = await asked({ objective: { kind: 'chat' } }, 'plain.jsonl');
  expect(sample?.prompt).toBe('Say no: ');
});

test('a reward model is asked for nothing', async () => {
  const { sample, options } = await asked({ objective: { kind: 'attributes' }, data: { rows: 'x' } }, null);
  expect([sample, options]).toEqual([null, []]);
});
