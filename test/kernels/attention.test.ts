/** What attention must be beyond agreeing with its reference at one size: blocks, causality, shared key heads. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, causalAttention, f32, trace, vjp } from '../../src/kernels/index.ts';
import { queryRanges } from '../../src/kernels/ops/causal_attention_parts.ts';
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
    ({ q, k, v }) => ({ o: causalAttention(q, k, v) }),
  );

it('cuts queries into blocks of 128 and leaves no block of a single query', () => {
  const sizes = (tokens: number) => queryRanges(tokens).map(({ start, end }) => end - start);
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
