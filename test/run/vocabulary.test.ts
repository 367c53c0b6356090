/** How many rows a model's embedding and head have: for a new run, for one of before, and where it is said. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openCheckpoint, readTensors } from '../../src/checkpoints/index.ts';
import { generate } from '../../src/run/generate.ts';
import { vocabularyIn, vocabularyOf } from '../../src/run/vocabulary.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { byteLevelBpe } from '../data/tokenizers/byte_level_bpe.ts';
import { forge } from '../checkpoints/scratch.ts';
import { bitsOf, RunFolder } from './run_kit.ts';

const topologyWith = (rows: number | null) =>
  parseTopology(JSON.stringify({ model: { vocab_size: rows } }), 'run.yaml', []);
const ids = (vocabSize: number) => ({ name: 'hf:t.json', vocabSize });

describe('a vocabulary', () => {
  it.each([
    [256, 256],
    [257, 320],
    [128_256, 128_256],
    [256_000, 256_000],
    [50_257, 50_304],
  ])('of a tokenizer of %i ids has %i rows', (vocabSize, rows) => {
    expect(vocabularyOf(topologyWith(null), ids(vocabSize))).toBe(rows);
  });

  it('has the rows that model.vocab_size says, no less than there are ids', () => {
    expect(vocabularyOf(topologyWith(272), ids(259))).toBe(272);
    expect(() => vocabularyOf(topologyWith(256), ids(259))).toThrow(
      "tokenizer 'hf:t.json': it has ids up to 258, and model.vocab_size is 256; set model.vocab_size to 259 or more, or leave it out",
    );
    expect(vocabularyOf(topologyWith(259), ids(259))).toBe(259);
  });

  it('of a checkpoint is refused where its tokenizer has grown since', () => {
    const checkpoint = { path: 'c', manifest: { model: { vocabulary: 320 } } as never };
    expect(vocabularyIn(checkpoint, ids(259))).toBe(320);
    expect(() => vocabularyIn(checkpoint, ids(321))).toThrow(
      "checkpoint c: its model has 320 rows, and the tokenizer 'hf:t.json' has ids up to 320 now; restore the tokenizer as it was",
    );
  });
});

describe('a run', () => {
  const folder = new RunFolder();
  afterAll(() => folder[Symbol.dispose]());
  // 272 ids, which are no multiple of 64.
  const file = z.looseObject({ added_tokens: z.array(z.looseObject({})) }).parse(JSON.parse(byteLevelBpe()));
  const more = Array.from({ length: 13 }, (_, i) => ({ ...file.added_tokens[0], id: 259 + i, content: `<${i}>` }));
  const tokenizer = { ...file, added_tokens: [...file.added_tokens, ...more] };
  writeFileSync(join(folder.path, 'tokenizer.json'), JSON.stringify(tokenizer));
  const settings = { 'data.tokenizer': 'hf:tokenizer.json' };

  const newest = async (runDir: string) => {
    const checkpoints = join(runDir, 'checkpoints');
    const name = readdirSync(checkpoints)
      .filter((entry) => entry.startsWith('step-'))
      .sort()
      .at(-1)!;
    return await openCheckpoint(join(checkpoints, name));
  };
  const rowsIn = async (runDir: string): Promise<readonly number[]> => {
    const checkpoint = await newest(runDir);
    const tensors = readTensors(checkpoint, ['model.embed_tokens.weight', 'lm_head.weight']);
    const rows: number[] = [];
    for await (const { shape } of tensors) rows.push(shape[0]);
    return rows;
  };

  it('has as many rows as its tokenizer has ids, rounded up, and generates with them', async () => {
    const played = await folder.play(settings);
    expect(await rowsIn(played.runDir)).toEqual([320, 320]);
    const { manifest } = await newest(played.runDir);
    expect(manifest.model).toMatchObject({ vocabulary: 320 });
    let text = '';
    const write = (part: string): void => void (text += part);
    const options = { prompt: 'actor ', maxTokens: 4, temperature: 0, seed: 1, write, notice: () => undefined };
    await generate({ checkpointDir: played.runDir, ...options });
    expect(text.length).toBeGreaterThan('actor '.length);
  });

  it('of version 0.1, which had a row for each id, goes on to the same bits and generates', async () => {
    const undisturbed = await folder.play({ ...settings, 'model.vocab_size': 272 });
    const stopping = new AbortController();
    const watch = (event: { readonly kind: string }): void => {
      if (event.kind === 'step') stopping.abort();
    };
    const { runDir } = await folder.play({ ...settings, 'model.vocab_size': 272 }, { signal: stopping.signal, watch });
    const { path, manifest } = await newest(runDir);
    const object = z.record(z.string(), z.json());
    const { vocab_size: _rows, ...model } = object.parse(object.parse(manifest.topology).model);
    const { vocabulary: _vocabulary, ...identity } = object.parse(manifest.model);
    forge(path, { topology: { ...object.parse(manifest.topology), model }, model: identity });
    const resumed = await folder.play(settings, { resume: runDir });
    expect(bitsOf(resumed)).toEqual(bitsOf(undisturbed));
    expect(await rowsIn(runDir)).toEqual([272, 272]);
  });
});
