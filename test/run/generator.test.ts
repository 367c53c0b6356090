/** Generated text: the choice of a token from logits, and how the tokens go on from a prompt. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sample } from '../../src/run/continued_tokens.ts';
import { continuation } from '../../src/run/generator.ts';
import { loadTokenizer } from '../../src/data/index.ts';

const logits = Float32Array.of(Math.log(1), Math.log(4), Math.log(2), Math.log(1));

describe('a sampled token', () => {
  it('is the likeliest at temperature 0, the lowest id in a tie', () => {
    for (const uniform of [0, 0.5, 0.999]) expect(sample(logits, 0, uniform)).toBe(1);
    expect(sample(Float32Array.of(1, 3, 3, 2), 0, 0.9)).toBe(1);
  });

  it.each([
    [0, 0],
    [0.124, 0],
    [0.126, 1],
    [0.624, 1],
    [0.626, 2],
    [0.874, 2],
    [0.876, 3],
    [1 - 2 ** -32, 3],
  ])('at uniform %d of probabilities 1/8, 1/2, 1/4, 1/8 is %i', (uniform, id) => {
    expect(sample(logits, 1, uniform)).toBe(id);
  });

  it('is likelier to be the likeliest where it is colder', () => {
    const share = (temperature: number): number =>
      Array.from({ length: 1000 }, (_, i) => sample(logits, temperature, (i + 0.5) / 1000)).filter((id) => id === 1)
        .length;
    expect([share(2), share(1), share(0.5)]).toEqual([369, 500, 728]);
  });

  it('is chosen as well among logits that overflow an exponential', () => {
    // Probabilities 0.731 and 0.269.
    for (const top of [3000, -3000]) {
      const near = Float32Array.of(top, top - 1);
      expect([0.7, 0.76].map((uniform) => sample(near, 1, uniform))).toEqual([0, 1]);
    }
  });

  it('is never one of probability 0', () => {
    expect(sample(Float32Array.of(-Infinity, 0, -Infinity), 1, 0)).toBe(1);
    expect(sample(Float32Array.of(-Infinity, 0, -Infinity), 1, 1 - 2 ** -32)).toBe(1);
  });
});

describe('a continuation', () => {
  // It marks a space at the beginning of the word after it.
  const path = fileURLToPath(new URL('../data/golden/tokenizers/llama2_like/tokenizer.json', import.meta.url));
  const tokenizer = loadTokenizer(`hf:${path}`, '/');

  /** What a model says after a prompt that is sure of these ids. */
  async function said(prompt: string, ids: readonly number[], first: number): Promise<string> {
    const options = { prompt, maxTokens: 100, temperature: 0, seed: 1 };
    let text = '';
    const logitsOf = (id: number): Float32Array =>
      Float32Array.from({ length: tokenizer.vocabSize }, (_, other) => (other === id ? 1 : 0));
    const next = (before: readonly number[]): Promise<Float32Array> =>
      Promise.resolve(logitsOf(ids[before.length - first] ?? tokenizer.separatorId));
    for await (const part of continuation(tokenizer, options, next)) text += part;
    return text;
  }

  it('keeps the space between the prompt and the first word', async () => {
    const ids = [...(await tokenizer.encode('the model of 世界'))];
    const before = [...(await tokenizer.encode('the'))];
    expect(await said('the', ids.slice(before.length), before.length)).toBe(' model of 世界');
  });

  it('begins a document without a space', async () => {
    expect(await said('', [...(await tokenizer.encode('the model'))], 1)).toBe('the model');
  });

  it('goes on from ids, and ends at any of the ids that it is to end at, without its text', async () => {
    const ids = [...(await tokenizer.encode('the model of'))];
    const logitsOf = (id: number): Float32Array =>
      Float32Array.from({ length: tokenizer.vocabSize }, (_, other) => (other === id ? 1 : 0));
    const textTo = async (stopIds: readonly number[]): Promise<string> => {
      const options = { prompt: ids.slice(0, 1), stopIds, maxTokens: ids.length - 1, temperature: 0, seed: 1 };
      let text = '';
      const next = (before: readonly number[]) => Promise.resolve(logitsOf(ids[before.length]));
      for await (const part of continuation(tokenizer, options, next)) text += part;
      return tokenizer.decode(ids.slice(0, 1)) + text;
    };
    expect(await textTo([])).toBe('the model of');
    expect(await textTo([tokenizer.separatorId, ids.at(-1)!])).toBe(tokenizer.decode(ids.slice(0, -1)));
  });

  it('never has an id that is no token: of a row past the last one, or of a gap', async () => {
    const gaps = loadTokenizer(`hf:${path.replace('llama2_like', 'noncontiguous_ids')}`, '/');
    const rows = Math.ceil(gaps.vocabSize / 64) * 64 + 64;
    const gap = Array.from({ length: gaps.vocabSize }, (_, id) => id).find((id) => !gaps.hasId(id))!;
    const token = gaps.tokenId('a')!;
    const seen: number[] = [];
    // Sure of what is no token, and of one that is after that.
    const next = (ids: readonly number[]): Promise<Float32Array> => {
      seen.push(...ids.slice(1));
      const sure = Float32Array.from({ length: rows }, (_, id) => (id >= gaps.vocabSize ? 90 : id === gap ? 80 : 0));
      sure[token] = 50;
      return Promise.resolve(sure);
    };
    for (const temperature of [0, 1]) {
      let text = '';
      for await (const part of continuation(gaps, { prompt: 'a', maxTokens: 3, temperature, seed: 1 }, next)) {
        text += part;
      }
      expect(text).toBe('aaa');
    }
    expect(new Set(seen)).toEqual(new Set([token]));
  });
});
