/** What attention must be beyond agreeing with its reference at one size: blocks, causality, shared key heads, samples. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, attention, f32, i32, trace, vjp } from '../../src/kernels/index.ts';
import type { Data } from '../../src/kernels/dtype.ts';
import { attentionBlocks } from '../../src/kernels/ops/attention_blocks.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, onReference, relativeError } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());
const run = onDevice(device);

const program = (tokens: number, heads = 2, keyHeads = heads, width = 16) =>
  trace(
    'attention',
    {
      q: f32([1, heads, tokens, width]),
      k: f32([1, keyHeads, tokens, width]),
      v: f32([1, keyHeads, tokens, width]),
    },
    ({ q, k, v }) => ({ o: attention({ q, k, v }, { causal: true }) }),
  );

it('cuts queries into blocks of 128 and leaves no block of a single query', () => {
  const sizes = (tokens: number) =>
    attentionBlocks(tokens, tokens, 16, { causal: true, window: null }).map(({ first, end }) => end - first);
  expect(sizes(256)).toEqual([128, 128]);
  expect(sizes(257)).toEqual([128, 129]);
  expect(sizes(129)).toEqual([129]);
  expect(sizes(300)).toEqual([128, 128, 44]);
  expect(sizes(2)).toEqual([2]);
});

it.each([
  { tokens: 16, heads: 2, keyHeads: 2 },
  { tokens: 128, heads: 2, keyHeads: 2 },
  { tokens: 144, heads: 4, keyHeads: 2 },
  { tokens: 272, heads: 2, keyHeads: 1 },
  { tokens: 528, heads: 1, keyHeads: 1 },
  { tokens: 130, heads: 2, keyHeads: 1 },
  { tokens: 257, heads: 4, keyHeads: 2 },
  { tokens: 300, heads: 3, keyHeads: 3 },
])('agrees with its reference on $tokens tokens, $heads heads over $keyHeads', async ({ tokens, heads, keyHeads }) => {
  const v = vjp(program(tokens, heads, keyHeads));
  const inputs = inputsOf(v.forward);
  const actual = await forwardAndBackward(run, v, inputs, {});
  const expected = await forwardAndBackward(onReference, v, inputs, {});
  for (const name of ['o', 'd_q', 'd_k', 'd_v'])
    expect(relativeError(actual[name], expected[name]), name).toBeLessThan(5e-6);
});

it('runs one token, and heads of one channel', async () => {
  for (const [tokens, width] of [
    [1, 16],
    [5, 1],
  ]) {
    const p = program(tokens, 2, 2, width);
    const inputs = inputsOf(p);
    const expected = (await onReference(p, inputs, {})).o;
    expect(relativeError((await run(p, inputs, {})).o, expected)).toBeLessThan(1e-6);
  }
});

it('lets no query see a later token', async () => {
  const tokens = 200;
  const width = 16;
  const p = program(tokens, 1);
  const inputs = inputsOf(p);
  const before = (await run(p, inputs, {})).o;
  for (const name of ['q', 'k', 'v']) inputs[name].fill(9, 150 * width);
  const after = (await run(p, inputs, {})).o;
  expect(bytesOf(after.subarray(0, 150 * width)).equals(bytesOf(before.subarray(0, 150 * width)))).toBe(true);
  expect(relativeError(after.subarray(150 * width), before.subarray(150 * width))).toBeGreaterThan(0.1);
});

it('reads key head h // rep for query head h', async () => {
  const [tokens, width] = [40, 16];
  const shared = program(tokens, 4, 2);
  const inputs = inputsOf(shared);
  const repeat = (name: 'k' | 'v') => {
    const size = tokens * width;
    const head = (h: number) => [...inputs[name].subarray(h * size, (h + 1) * size)];
    return Float32Array.from([...head(0), ...head(0), ...head(1), ...head(1)]);
  };
  const expected = await run(program(tokens, 4), { q: inputs.q, k: repeat('k'), v: repeat('v') }, {});
  const actual = await run(shared, inputs, {});
  expect(relativeError(actual.o, expected.o)).toBeLessThan(1e-6);
});

/** Samples of these lengths one behind the other, in each of two sequences; the second has them in reverse order. */
const beginsOf = (lengths: readonly number[]): Int32Array => {
  const sequence = (order: readonly number[]): number[] => {
    let begin = 0;
    return order.flatMap((length) => new Array<number>(length).fill((begin += length) - length));
  };
  return Int32Array.from([...sequence(lengths), ...sequence(lengths.toReversed())]);
};

const packed = (tokens: number, heads: number, keyHeads: number, begins: readonly number[] = [2, tokens]) =>
  trace(
    'packed',
    {
      q: f32([2, heads, tokens, 16]),
      k: f32([2, keyHeads, tokens, 16]),
      v: f32([2, keyHeads, tokens, 16]),
      begins: i32(begins),
    },
    (w) => ({ o: attention(w, { causal: true }) }),
  );

it.each([
  { lengths: [1, 15], heads: 2, keyHeads: 2 },
  { lengths: [16, 1, 40, 71], heads: 2, keyHeads: 1 },
  { lengths: [130, 14, 128], heads: 2, keyHeads: 2 },
  { lengths: [3, 1, 1, 200, 52], heads: 4, keyHeads: 2 },
  { lengths: [500, 28], heads: 1, keyHeads: 1 },
  { lengths: [77], heads: 3, keyHeads: 3 },
])('agrees with its reference on samples of $lengths tokens', async ({ lengths, heads, keyHeads }) => {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const v = vjp(packed(tokens, heads, keyHeads));
  const inputs = { ...inputsOf(v.forward), begins: beginsOf(lengths) };
  const actual = await forwardAndBackward(run, v, inputs, {});
  const expected = await forwardAndBackward(onReference, v, inputs, {});
  for (const name of ['o', 'd_q', 'd_k', 'd_v'])
    expect(relativeError(actual[name], expected[name]), name).toBeLessThan(5e-6);
});

it('is for each sample what it is for the sample alone, and takes begins as rows', async () => {
  const lengths = [100, 17, 43, 96];
  const tokens = 256;
  const v = vjp(packed(tokens, 1, 1, [2 * tokens]));
  const inputs: Record<string, Data> = { ...inputsOf(v.forward), ...inputsOf(v.backward), begins: beginsOf(lengths) };
  const whole = await forwardAndBackward(run, v, inputs, {});
  let begin = 0;
  for (const length of lengths) {
    const alone = vjp(program(length, 1));
    const part = (data: Data): Data => data.slice(begin * 16, (begin + length) * 16);
    const own = Object.fromEntries(['q', 'k', 'v', 'd_o'].map((name) => [name, part(inputs[name])]));
    const expected = await forwardAndBackward(run, alone, own, {});
    for (const name of ['o', 'd_q', 'd_k', 'd_v'])
      expect(relativeError(part(whole[name]), expected[name]), name).toBeLessThan(1e-6);
    begin += length;
  }
});

it('has the bits that it has without begins where all are 0', async () => {
  for (const tokens of [144, 150]) {
    const v = vjp(packed(tokens, 2, 1));
    const inputs = inputsOf(v.forward);
    const without = trace(
      'whole',
      { q: f32([2, 2, tokens, 16]), k: f32([2, 1, tokens, 16]), v: f32([2, 1, tokens, 16]) },
      (w) => ({ o: attention(w, { causal: true }) }),
    );
    const actual = await forwardAndBackward(run, v, inputs, {});
    const expected = await forwardAndBackward(run, vjp(without), inputs, {});
    for (const name of ['o', 'd_q', 'd_k', 'd_v'])
      expect(bytesOf(actual[name]).equals(bytesOf(expected[name])), name).toBe(true);
  }
});

it('does not let the samples before change a bit', async () => {
  const [tokens, begin] = [208, 77];
  const v = vjp(packed(tokens, 1, 1));
  const inputs: Record<string, Data> = {
    ...inputsOf(v.forward),
    ...inputsOf(v.backward),
    begins: beginsOf([begin, tokens - begin]),
  };
  const before = await forwardAndBackward(run, v, inputs, {});
  for (const name of ['q', 'k', 'v', 'd_o']) inputs[name].fill(9, 0, begin * 16);
  const after = await forwardAndBackward(run, v, inputs, {});
  for (const name of ['o', 'd_q', 'd_k', 'd_v']) {
    const part = (data: Data): Buffer => bytesOf(data.subarray(begin * 16, tokens * 16));
    expect(part(after[name]).equals(part(before[name])), name).toBe(true);
  }
});

it('refuses begins that are not one a token', () => {
  expect(() => packed(8, 2, 1, [2, 9])).toThrow('begins [2, 9] are not of sequences [2, 8]');
  expect(() => packed(8, 2, 1, [15])).toThrow('begins [15] are not of sequences [2, 8]');
});
