/** A model that a program opens: what it is, its tensors, and what it says of sequences and goes on with. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportModel } from '../../src/run/export_model.ts';
import { openModel, type GeneratedToken, type OpenedModel } from '../../src/run/open_model.ts';
import { goldenOf } from '../models/golden.ts';
import { goldenFolder, Scratch } from './hf_kit.ts';
import { RunFolder } from './run_kit.ts';

const scratch = new Scratch();
const runs = new RunFolder();
afterAll(() => (scratch[Symbol.dispose](), runs[Symbol.dispose]()));

async function tokensOf(generated: AsyncIterable<GeneratedToken>): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of generated) tokens.push(token);
  return tokens;
}

describe('a folder of Hugging Face', () => {
  const { values, expected } = goldenOf('llama/bf16');
  const [given] = expected.cases;
  let model: OpenedModel;
  beforeAll(async () => {
    model = await openModel(goldenFolder('llama/bf16'), { sequenceLength: 24 });
  });
  afterAll(() => model.close());

  it('has its config, its shapes, and its tensors in fp32', async () => {
    expect(model).toMatchObject({ vocabulary: 160, tokenizer: null, sequenceLength: 24 });
    expect(model.config).toMatchObject({ family: 'llama', hidden_size: 48, attention_bias: true, mlp_bias: true });
    expect([...model.parameters().keys()].sort()).toEqual(Object.keys(values).sort());
    expect(await model.tensor('model.norm.weight')).toEqual(values['model.norm.weight']);
    await expect(model.tensor('model.norm.bias')).rejects.toMatchObject({ tag: 'BadTensor' });
  });

  it('gives the logits of its classes, and log-probabilities that follow from them', async () => {
    const [ids] = given.input_ids;
    const [[logits], [logProbs]] = await Promise.all([model.logits([ids]), model.logProbs([ids])]);
    const V = model.vocabulary;
    const wanted = given.logits.data.slice(0, ids.length * V);
    expect(logits.reduce((most, x, i) => Math.max(most, Math.abs(x - wanted[i])), 0)).toBeLessThan(1e-4);
    expect(logProbs).toHaveLength(ids.length - 1);
    for (const [t, logProb] of logProbs.entries()) {
      const row = Array.from(logits.subarray(t * V, (t + 1) * V));
      const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
      expect(logProb).toBeCloseTo(row[ids[t + 1]] - total, 4);
    }
  });

  it('goes on with words, each with its log-probability, and again with the same ones', async () => {
    const prompt = expected.generation.prompt_ids;
    const options = { prompt, maxTokens: 3 };
    const [first, second] = await Promise.all([1, 2].map(() => tokensOf(model.generate(options))));
    expect(first).toEqual(second);
    expect(first.map(({ token }) => token)).toEqual(expected.generation.new_tokens.slice(0, 3));
    const [logProbs] = await model.logProbs([[...prompt, ...first.map(({ token }) => token)]]);
    const own = Array.from(logProbs).slice(-3);
    for (const [i, { logProb }] of first.entries()) expect(logProb).toBeCloseTo(own[i], 4);
    const stopped = await tokensOf(model.generate({ ...options, stopIds: [first[1].token] }));
    expect(stopped).toEqual(first.slice(0, 1));
  });

  it('scores sequences of several lengths, each alone', async () => {
    const [ids] = given.input_ids;
    const [whole, short, single] = await model.logProbs([ids, ids.slice(0, 5), ids.slice(0, 1)]);
    expect(short).toEqual(whole.slice(0, 4));
    expect(single).toHaveLength(0);
  });

  it.each([
    ['no token', [[]], 'sequence 0 has no token; give at least one'],
    [
      'an id past the vocabulary',
      [[1], [160]],
      'sequence 1 has the id 160; give whole numbers below the vocabulary, 160',
    ],
    [
      'more tokens than it was opened for',
      [new Array<number>(25).fill(1)],
      'sequence 0 has 25 tokens, and the model was opened for 24; open it with a longer sequenceLength, or shorten it',
    ],
  ])('refuses %s', async (_, sequences, message) => {
    for (const asked of [model.logits(sequences), model.logProbs(sequences)]) {
      await expect(asked).rejects.toMatchObject({ tag: 'BadSequence', message });
    }
  });

  it('refuses a text, since it has no tokenizer, and a length that it cannot read', async () => {
    await expect(model.generate({ prompt: 'The ', maxTokens: 1 }).next()).rejects.toMatchObject({ tag: 'NoTokenizer' });
    await using long = await openModel(goldenFolder('llama/bf16'), { sequenceLength: 129 });
    await expect(long.logProbs([[1, 2]])).rejects.toMatchObject({ tag: 'ConfigError' });
  });
});

describe('a run', () => {
  it('goes on with a text, as the folder that it is exported to does by ids', async () => {
    const { runDir } = await runs.play({
      'model.architecture': 'mixtral',
      'model.vocab_size': 256,
      'moe.dispatch_dtype': 'fp32',
      'training.steps': 2,
    });
    const folder = scratch.fresh();
    await exportModel({ checkpointDir: runDir, folder, shardBytes: 5e9, notice: () => undefined });
    await using model = await openModel(runDir);
    await using other = await openModel(folder);
    const options = { maxTokens: 8, temperature: 0 };
    const own = await tokensOf(model.generate({ prompt: 'actor ', ...options }));
    const prompt = Array.from(Buffer.from('actor '));
    const theirs = await tokensOf(other.generate({ prompt, ...options }));
    expect(theirs.map(({ token }) => token)).toEqual(own.map(({ token }) => token));
    expect(own.map(({ text }) => text).join('')).toBe(Buffer.from(own.map(({ token }) => token)).toString());
  });
});
