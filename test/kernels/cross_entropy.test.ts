/** Cross-entropy of a linear head: its value, its chunks of 512 rows, ignored and impossible targets. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, f32, i32, linearCrossEntropy, trace, vjp, weight } from '../../src/kernels/index.ts';
import { chunkSizes } from '../../src/kernels/ops/linear_cross_entropy_chunk.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, onReference, relativeError, type Fill } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());
const run = onDevice(device);

const [D, V] = [8, 48];
const program = (rows: number, vocabulary = V) =>
  trace('head', { x: f32([rows, D]), w: weight([vocabulary, D]), targets: i32([rows]) }, ({ x, w, targets }) => ({
    losses: linearCrossEntropy(x, w, targets),
  }));
const fill: Fill = { targets: (i) => (((i + 1) * 7) % (V + 1)) - 1 };

it.each([
  [512, V],
  [513, V],
  [600, V],
  [1030, V],
  [600, V + 2],
])('agrees with its reference on %i rows of %i', async (rows, vocabulary) => {
  const v = vjp(program(rows, vocabulary));
  const inputs = inputsOf(v.forward, fill);
  const actual = await forwardAndBackward(run, v, inputs, {});
  const expected = await forwardAndBackward(onReference, v, inputs, {});
  for (const name of ['losses', 'd_x', 'd_w'])
    expect(relativeError(actual[name], expected[name]), name).toBeLessThan(3e-6);
});

it('cuts rows into chunks of 512 and leaves no chunk of a single row', () => {
  expect(chunkSizes(1030)).toEqual([512, 512, 6]);
  expect(chunkSizes(1025)).toEqual([512, 513]);
  expect(chunkSizes(513)).toEqual([513]);
  expect(chunkSizes(512)).toEqual([512]);
  expect(chunkSizes(0)).toEqual([]);
});

it.each([V, V + 2, V + 13])(
  'gives a row of %i the same loss, to the bit, in whatever chunk it falls',
  async (vocabulary) => {
    const losses = async (rows: number) => {
      const p = program(rows, vocabulary);
      return (await run(p, inputsOf(p, fill), {})).losses;
    };
    const most = await losses(1030);
    for (const rows of [1, 2, 512, 513, 600]) {
      expect(bytesOf(await losses(rows)).equals(bytesOf(most.subarray(0, rows))), `${rows} rows`).toBe(true);
    }
  },
);

it('is log V where all logits are equal, and 0 where the target is ignored', async () => {
  const p = program(4);
  const { losses } = await run(p, inputsOf(p, { x: () => 0, targets: (i) => i - 1 }), {});
  const expected = Math.fround(Math.log(V));
  expect([...losses]).toEqual([0, expected, expected, expected]);
});

it('sends no gradient through an ignored row', async () => {
  const v = vjp(program(4));
  const { d_x, d_w } = await forwardAndBackward(
    run,
    v,
    inputsOf(v.forward, { targets: (i) => (i === 2 ? 5 : -1) }),
    {},
  );
  const rowsWithGradient = [0, 1, 2, 3].filter((r) => d_x.subarray(r * D, (r + 1) * D).some((x) => x !== 0));
  expect(rowsWithGradient).toEqual([2]);
  expect(d_w.every((x) => Number.isFinite(x))).toBe(true);
});

it('refuses a target that is no token', async () => {
  const p = program(4);
  await expect(run(p, inputsOf(p, { targets: () => V }), {})).rejects.toThrow(
    'linear_cross_entropy: target 48 of row 0 is outside of 48 tokens',
  );
});
