/** Attention of many kinds: which keys are seen, by whom, and what it costs; shapes and places that it refuses. */
import { afterAll, expect, it } from 'vitest';
import { attention, CpuDevice, f32, flopsOf, ShapeError, trace, vjp, type Data } from '../../src/kernels/index.ts';
import { decomposed } from '../../src/kernels/cpu/decomposed.ts';
import { tablesOf } from '../../src/kernels/cpu/wasm/lower.ts';
import { runReference } from '../../src/kernels/reference.ts';
import {
  attentionKinds,
  attentionOf,
  errorOf,
  expectSameAttention,
  saidTwice,
  type AttentionKind,
} from './attentions.ts';
import { bytesOf, forwardAndBackward, onDevice, relativeError } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());
const run = onDevice(device);

it.each([
  { begins: -1, tokens: 16, words: 'begin at -1, outside of 0 to 16' },
  { begins: 11, tokens: 10, words: 'begin at 11, outside of 0 to 10' },
  { ends: -1, tokens: 10, words: 'end at -1, outside of 0 to 10' },
  { ends: 17, tokens: 16, words: 'end at 17, outside of 0 to 16' },
])('refuses keys of query 4 that $words', async ({ begins = 0, ends = 4, tokens, words }) => {
  const places = (at4: number) => (b: number, t: number) => (b === 1 && t === 4 ? at4 : 4);
  const { program, inputs } = attentionOf({ batch: 2, queries: tokens, begins: places(4), ends: places(4) });
  inputs.begins[tokens + 4] = begins;
  inputs.ends[tokens + 4] = ends;
  await expect(run(program.forward, inputs, {})).rejects.toThrow(`keys of query 4 ${words}`);
  expect(() => runReference(program.forward, inputs, {})).toThrow(`keys of query 4 ${words}`);
});

const shapes = { q: [1, 4, 8, 16], k: [1, 2, 8, 16], v: [1, 2, 8, 16] };

it.each([
  { change: { k: [1, 2, 9, 16] }, words: 'q [1, 4, 8, 16], k [1, 2, 9, 16], v [1, 2, 8, 16]: k and v differ' },
  { change: { k: [1, 2, 9, 16], v: [1, 2, 9, 16] }, words: 'causal attention needs as many keys as queries' },
  { change: { k: [1, 3, 8, 16], v: [1, 3, 8, 16] }, words: 'the key heads do not divide the heads' },
  { change: { k: [1, 2, 8, 8], v: [1, 2, 8, 8] }, words: 'q and k do not fit' },
  { change: { q: [4, 8, 16] }, words: 'q has shape [4, 8, 16], needs 4 axes' },
  { change: { bias: [2, 8, 8] }, words: 'bias [2, 8, 8] is not of heads, queries and keys [4, 8, 8]' },
  { window: 0, words: 'a window of 0 keys needs causal attention, and to be one key or more' },
  { window: 4, causal: false, words: 'a window of 4 keys needs causal attention' },
])('refuses with one line: $words', ({ change = {}, causal = true, window, words }) => {
  const specs = Object.entries({ ...shapes, ...change }).map(([name, shape]) => [name, f32(shape)] as const);
  const { q, k, v, ...bias } = Object.fromEntries(specs);
  const make = () => trace('refused', { q, k, v, ...bias }, (w) => ({ o: attention(w, { causal, window }) }));
  expect(make).toThrow(ShapeError);
  expect(make).toThrow(words);
});

it.each(Object.entries(attentionKinds))('is what it is by definition, and its gradient: %s', async (_name, kind) => {
  expect(await errorOf(run, kind)).toBeLessThan(2e-6);
});

it.each(Object.entries(saidTwice))('has the same bits: %s', async (_name, [one, other]) => {
  await expectSameAttention(run, one, other);
});

it.each(['a window of odd sizes', 'fewer queries than keys, a bias', 'one query and a bias over 15 keys'])(
  'runs its softmax as generated code over any number of keys: %s',
  (name) => {
    const { forward, backward } = attentionOf(attentionKinds[name]).program;
    const nodes = [forward, backward].flatMap((program) => decomposed(program).nodes);
    const softmaxes = nodes.filter(({ op }) => op.startsWith('attention'));
    expect(softmaxes.map(({ op }) => op)).toContain('attention_softmax_gradient');
    expect(softmaxes.filter((node) => tablesOf(node) === null)).toEqual([]);
  },
);

it('gives zeros where a query sees no key, and takes no gradient from it', async () => {
  const kind: AttentionKind = { batch: 2, heads: 2, queries: 48, bias: true, ends: (b, t) => (t % 5 === b ? 0 : 20) };
  const { program, inputs } = attentionOf(kind);
  const before = await forwardAndBackward(run, program, inputs, {});
  const isEmpty = (i: number): boolean => (Math.floor(i / 16) % 48) % 5 === Math.floor(i / (2 * 48 * 16));
  for (const name of ['q', 'd_o']) inputs[name].forEach((_, i) => isEmpty(i) && (inputs[name][i] = 7));
  const after = await forwardAndBackward(run, program, inputs, {});
  for (const name of ['o', 'd_q']) {
    expect(
      Array.from(after[name]).every((x, i) => !isEmpty(i) || x === 0),
      name,
    ).toBe(true);
  }
  for (const name of ['o', 'd_q', 'd_k', 'd_v', 'd_bias'])
    expect(bytesOf(after[name]).equals(bytesOf(before[name])), name).toBe(true);
});

it('reads of a long sequence what its window sees, and little more', () => {
  const flops = (tokens: number): number => {
    const heads = f32([1, 1, tokens, 64]);
    const v = vjp(
      trace('window', { q: heads, k: heads, v: heads }, (w) => ({ o: attention(w, { causal: true, window: 512 }) })),
    );
    return flopsOf(decomposed(v.forward)) + flopsOf(decomposed(v.backward));
  };
  // Seven products, over up to 1024 keys instead of 512: the rest is of blocks of queries and stretches of keys.
  expect(flops(2 ** 15)).toBeLessThan(7 * 2 * 2 ** 15 * 64 * 1024);
  expect(flops(2 ** 15) / flops(2 ** 14)).toBeLessThan(2.05);
});

it('is across packed samples what it is of each alone', async () => {
  // What is asked for each sample and what is read of it, both packed: a decoder that reads an encoder.
  const [asked, read] = [
    [5, 40, 3],
    [30, 17, 1],
  ];
  const startsOf = (lengths: readonly number[]) =>
    lengths.map((_, n) => lengths.slice(0, n).reduce((a, b) => a + b, 0));
  const [fromAsked, fromRead] = [startsOf(asked), startsOf(read)];
  const sampleOf = (t: number): number => fromAsked.findLastIndex((start) => start <= t);
  const packedKind: AttentionKind = {
    ...{ queries: 48, keys: 48 },
    begins: (_, t) => fromRead[sampleOf(t)],
    ends: (_, t) => fromRead[sampleOf(t)] + read[sampleOf(t)],
  };
  const { program, inputs } = attentionOf(packedKind);
  const whole = await forwardAndBackward(run, program, inputs, {});
  for (const [n, queries] of asked.entries()) {
    const alone = attentionOf({ queries, keys: read[n] });
    const part = (data: Data, isKey: boolean): Data => {
      const start = isKey ? fromRead[n] : fromAsked[n];
      return data.slice(start * 16, (start + (isKey ? read[n] : queries)) * 16);
    };
    const isKey = (name: string): boolean => /[kv]$/.test(name);
    const own = Object.fromEntries(['q', 'k', 'v', 'd_o'].map((name) => [name, part(inputs[name], isKey(name))]));
    const expected = await forwardAndBackward(run, alone.program, { ...alone.inputs, ...own }, {});
    for (const name of ['o', 'd_q', 'd_k', 'd_v'])
      expect(relativeError(part(whole[name], isKey(name)), expected[name]), name).toBeLessThan(1e-6);
  }
});
