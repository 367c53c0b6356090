/** Rows that lie together in a sequence get the losses that each has by itself, whatever lies beside it and wherever it begins. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { hashU32 } from '../../src/data/index.ts';
import { batchStreams } from '../../src/models/model.ts';
import { batchesOf } from '../../src/run/batch_source.ts';
import { evaluatedData } from '../../src/run/evaluated_data.ts';
import { packedData } from '../../src/run/corpora.ts';
import { tokenizerOf } from '../../src/run/corpus_specs.ts';
import { Run } from '../../src/run/run.ts';
import { Scorer } from '../../src/run/scorer.ts';
import { heldOutName, parseTopology } from '../../src/topology/index.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-packed-'));
afterAll(() => rmSync(root, { recursive: true }));

const yaml = `
name: packed
model: { architecture: transformer, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 128 }
training: { global_batch_size: 4, sequence_length: 128, eval_sequences: 64 }
parallelism: { micro_batches: 2 }
cluster: { memory_per_worker: 64MiB, nats: { url: none } }
objective: { kind: chat }
data: { rows: chats.jsonl, held_out: 0.45 }
`;

beforeAll(() => {
  const rows = Array.from({ length: 60 }, (_, i) =>
    JSON.stringify({ prompt: `${i}: `, completion: 'so '.repeat(1 + (hashU32(4, i) % 20)) }),
  );
  writeFileSync(join(root, 'chats.jsonl'), rows.join('\n'));
});

/** Log-probabilities of what is learnt of each held-out row, by the row's text, and how many sequences they lay in. */
async function scored(pack: boolean) {
  const topology = parseTopology(yaml, 'packed.yaml', [{ path: ['data', 'pack'], value: pack, source: 'data.pack' }]);
  const tokenizer = tokenizerOf(topology, root);
  const options = { topology, baseDir: root, signal: new AbortController().signal, observe: () => undefined };
  const packed = await packedData(options, tokenizer);
  const runSpec = await runSpecOf({ topology, baseDir: root, vocabulary: 256 });
  const batches = batchesOf(packed, topology);
  const run = await Run.start({ runSpec, batches, gen: 1 });
  const [{ microbatches }] = batches.evaluations;
  const byText = new Map<string, number[]>();
  try {
    const scores = new Scorer(run, runSpec, batches).score({ data: heldOutName, microbatches });
    for await (const { microbatch, logProbs_R, samples } of scores) {
      const { tensors } = batches.microbatch({ kind: 'score', data: heldOutName, step: 0, microbatch });
      for (const { firstRow, rows } of samples) {
        const of = (values: ArrayLike<number>): number[] =>
          Array.from({ length: rows }, (_, i) => values[firstRow + i]);
        const text = tokenizer.decode(of(tensors[batchStreams.tokens]));
        byText.set(text, of(logProbs_R));
      }
    }
  } finally {
    await run.stop();
  }
  return { byText, sequences: evaluatedData(packed, packed.evaluations, topology).get(heldOutName)!.sequences.count };
}

describe('rows packed into sequences', () => {
  it('have, token by token, the losses that they have with a sequence of their own', async () => {
    const [apart, together] = [await scored(false), await scored(true)];
    expect(apart.byText.size).toBe(apart.sequences);
    expect(together.sequences).toBeLessThan(apart.sequences / 2);
    expect([...together.byText.keys()].sort()).toEqual([...apart.byText.keys()].sort());
    let compared = 0;
    for (const [text, logProbs] of apart.byText) {
      const packed = together.byText.get(text)!;
      expect(packed).toHaveLength(logProbs.length);
      for (const [at, logProb] of logProbs.entries()) {
        if (Number.isNaN(logProb)) expect(packed[at]).toBeNaN();
        else {
          expect(Math.abs(packed[at] - logProb)).toBeLessThan(1e-5);
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(500);
  });
});

test('a bad row of the last corpus is found before the first one is packed', async () => {
  writeFileSync(join(root, 'good.jsonl'), '{"prompt":"a","completion":"b"}\n'.repeat(3));
  writeFileSync(join(root, 'bad.jsonl'), '{"prompt":"a","completion":"b"}\n{"prompt":"a"}\n');
  const blend = ['good', 'bad'].map((name) => `{ name: ${name}, glob: ${name}.jsonl, weight: 1, format: rows }`);
  const text = yaml.replace('rows: chats.jsonl', `cache_dir: none, blend: [${blend.join(', ')}]`);
  const topology = parseTopology(text, 'packed.yaml', []);
  const options = { topology, baseDir: root, signal: new AbortController().signal, observe: () => undefined };
  await expect(packedData(options, tokenizerOf(topology, root))).rejects.toThrow(/bad\.jsonl:2: /);
  expect(existsSync(join(root, 'none'))).toBe(false);
});
