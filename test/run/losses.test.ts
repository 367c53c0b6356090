/** What a run writes of losses: in bits a byte whatever its tokenizer, in total and by corpus, however it is spread. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Draws, loadTokenizer, PackedCorpus, textSequences } from '../../src/data/index.ts';
import { trainingPass } from '../../src/actors/protocol/pass.ts';
import { batchStreams } from '../../src/models/model.ts';
import { batchesOf } from '../../src/run/batch_source.ts';
import { tokenizerOf } from '../../src/run/corpus_specs.ts';
import { packedData, type PackedData } from '../../src/run/corpora.ts';
import type { Topology } from '../../src/topology/index.ts';
import { bitsOf, RunFolder, type Played } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const golden = fileURLToPath(new URL('../data/golden/tokenizers/gpt2_small', import.meta.url));
cpSync(golden, join(folder.path, 'gpt2_small'), { recursive: true });

describe('bits per byte', () => {
  it('are the bits of all targets over the bytes of their text', async () => {
    const data = {
      tokenizer: 'hf:gpt2_small/tokenizer.json',
      blend: [{ name: 'words', glob: '*.txt' }],
      held_out: 0.2,
    };
    const { curve, topology } = await folder.play({ data, 'training.steps': 2 });
    const tokenizer = loadTokenizer(data.tokenizer, folder.path);
    for (const [step, line] of curve.entries()) {
      const { loss, bits_per_byte: found } = line;
      const targets = await targetsOf(topology, step);
      const bytes = targets.reduce((sum, row) => sum + Buffer.byteLength(tokenizer.decode(row)), 0);
      const tokens = targets.reduce((sum, row) => sum + row.length, 0);
      expect(bytes).toBeGreaterThan(1.2 * tokens);
      expect(found).toBeCloseTo((Number(loss) * tokens) / Math.LN2 / bytes, 12);
    }
  });
});

describe('losses by corpus', () => {
  const chats = Array.from({ length: 60 }, (_, i) => ({
    messages: [
      { role: 'user', content: `Say ${i}.` },
      { role: 'assistant', content: 'yes '.repeat(1 + (i % 4)) },
    ],
  }));
  writeFileSync(join(folder.path, 'chats.jsonl'), chats.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const data = {
    held_out: 0.2,
    blend: [
      { name: 'words', glob: '*.txt', weight: '70%' },
      { name: 'chats', glob: 'chats.jsonl', format: 'rows', weight: '30%' },
    ],
  };
  const settings = {
    data,
    ...{ 'objective.kind': 'chat', 'training.sequence_length': 64, 'model.max_position_embeddings': 64 },
  };
  const played: Played[] = [];
  beforeAll(async () => {
    for (const ranks of [1, 2, 4]) {
      const parallelism = { 'parallelism.data_parallel': ranks, 'parallelism.micro_batches': 4 / ranks };
      played.push(await folder.play({ ...settings, ...parallelism }));
    }
  });

  it('weighted by what of the batch is of each are the loss, of text and rows in one blend', async () => {
    const [{ curve, topology }] = played;
    const packed = await packedOf(topology);
    expect(packed.weights).toEqual([70, 30]);
    const batches = batchesOf(packed, topology);
    for (const [step, line] of curve.entries()) {
      const [of, targets] = [new Map<number, number>(), new Map<number, number>()];
      for (let microbatch = 0; microbatch < 4; microbatch++) {
        const { tensors, corpora: rows } = batches.microbatch({ ...trainingPass(step), microbatch });
        for (const [row, corpus] of (rows?.of_R ?? []).entries()) {
          of.set(corpus, (of.get(corpus) ?? 0) + 1);
          if (tensors[batchStreams.targets][row] >= 0) targets.set(corpus, (targets.get(corpus) ?? 0) + 1);
        }
      }
      const losses = line.losses as Record<string, number>;
      const [words, chats] = [targets.get(0) ?? 0, targets.get(1) ?? 0];
      expect(of.get(0)).toBe(words);
      expect(chats).toBeLessThan(of.get(1) ?? 0);
      const mean = (losses['loss/words'] * words + losses['loss/chats'] * chats) / (words + chats);
      expect(mean).toBeCloseTo(Number(line.loss), 12);
      expect(losses['bits_per_byte/chats']).toBeGreaterThan(0);
    }
  });

  it('are the same bits by data parallel 1, 2 and 4', () => {
    const [one, two, four] = played;
    expect(bitsOf(two)).toEqual(bitsOf(one));
    expect(bitsOf(four)).toEqual(bitsOf(one));
  });
});

/** The data of a run that is packed already. */
async function packedOf(topology: Topology): Promise<PackedData> {
  const signal = new AbortController().signal;
  const options = { topology, baseDir: folder.path, signal, observe: () => undefined };
  return await packedData(options, tokenizerOf(topology, folder.path));
}

/** The targets of each sequence of a step. */
async function targetsOf(topology: Topology, step: number): Promise<Int32Array[]> {
  const { corpora, weights } = await packedOf(topology);
  const texts = corpora.filter((corpus) => corpus instanceof PackedCorpus);
  const { global_batch_size: rows, sequence_length: length, seed } = topology.training;
  const sources = texts.map((text) => textSequences(text, length, seed));
  const draws = new Draws(sources, weights);
  return Array.from({ length: rows }, (_, row) => draws.at(step * rows + row).sequence.targets);
}
