/** A model of the largest vocabularies that are published: 256,000 ids, of which a text uses a few. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RunFolder } from './run_kit.ts';

it('a model of 256,000 ids trains and learns in 1 GiB', async () => {
  using folder = new RunFolder();
  const words = ['</s>', 'actor', 'expert', 'router', 'stage', 'token', 'slot', 'gate', 'loss'];
  const others = Array.from({ length: 256_000 - words.length }, (_, i) => `word${i}`);
  // Those that the text has are the last ones.
  const vocab = Object.fromEntries([...others, ...words].map((word, id) => [word, id]));
  const model = { type: 'WordLevel', vocab, unk_token: '</s>' };
  const file = { version: '1.0', added_tokens: [], pre_tokenizer: { type: 'WhitespaceSplit' }, model };
  writeFileSync(join(folder.path, 'tokenizer.json'), JSON.stringify(file));
  const played = await folder.play({
    'data.tokenizer': 'hf:tokenizer.json',
    'model.hidden_size': 16,
    'model.num_attention_heads': 1,
    'parallelism.data_parallel': 1,
    'parallelism.expert_parallel': 1,
    'training.steps': 3,
    'cluster.memory_per_worker': '1GiB',
  });
  const losses = played.curve.map((line) => ('loss' in line ? Number(line.loss) : NaN));
  expect(losses[0]).toBeCloseTo(Math.log(256_000), 0);
  expect(losses[2]).toBeLessThan(losses[0]);
});
