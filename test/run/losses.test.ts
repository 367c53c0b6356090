/** What a run writes of losses: in bits a byte whatever its tokenizer, in total and by corpus, however it is spread. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Blend, loadTokenizer, PackedCorpus } from '../../src/data/index.ts';
import { packedData } from '../../src/run/corpora.ts';
import type { Topology } from '../../src/topology/index.ts';
import { RunFolder } from './run_kit.ts';

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

/** The targets of each sequence of a step, read without what a run reads them by. */
async function targetsOf(topology: Topology, step: number): Promise<Int32Array[]> {
  const signal = new AbortController().signal;
  const options = { topology, baseDir: folder.path, signal, observe: () => undefined };
  const { corpora, weights } = await packedData(options, loadTokenizer(topology.data.tokenizer, folder.path));
  const texts = corpora.filter((corpus) => corpus instanceof PackedCorpus);
  const { global_batch_size: rows, sequence_length: length, seed } = topology.training;
  const draws = new Blend(texts, weights, seed).draws(length);
  return Array.from({ length: rows }, (_, row) => draws.at(step * rows + row).sequence.targets);
}
