/** The divergence of two linear heads: values, temperature, chunks, rows that are ignored, and what is refused. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  CpuDevice,
  f32,
  i32,
  linearCrossEntropy,
  linearKl,
  maxElements,
  trace,
  vjp,
  weight,
} from '../../src/kernels/index.ts';
import { planPasses } from '../../src/kernels/webgpu/plan.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, onReference, relativeError, type Run } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 28 });
afterAll(() => device.close());
const run = onDevice(device);
const runs: readonly (readonly [string, Run])[] = [
  ['the reference', onReference],
  ['the cpu device', run],
];

const [D, DT, V] = [8, 12, 48];
const distil = (rows: number, temperature?: number, vocabulary = V) =>
  trace(
    'distil',
    {
      x: f32([rows, D]),
      w: weight([vocabulary, D]),
      xT: f32([rows, DT]),
      wT: weight([vocabulary, DT]),
      targets: i32([rows]),
    },
    ({ x, w, xT, wT, targets }) => ({ losses: linearKl({ x, w }, { x: xT, w: wT }, { temperature, targets }) }),
  );
const constants = ['xT', 'wT'];

describe.each(runs)('on %s', (_, run) => {
  // Rows of logits from a head of one channel. Words that have no probability change nothing.
  it.each([3, 16])('is 0.1837869 of [.7, .2, .1] against [.4, .4, .2], %i words', async (words) => {
    const p = trace(
      'vector',
      { x: f32([2, 1]), w: weight([words, 1]), xT: f32([2, 1]), wT: weight([words, 1]) },
      ({ x, w, xT, wT }) => ({
        losses: linearKl({ x, w }, { x: xT, w: wT }),
        // The same shares by logits half as large.
        cold: linearKl({ x, w }, { x: xT, w: wT }, { temperature: 0.5 }),
      }),
    );
    const logits = (shares: readonly number[]): Float32Array =>
      Float32Array.from({ length: words }, (_, i) => (i < 3 ? Math.log(shares[i]) : -200));
    const inputs = {
      x: Float32Array.of(1, 0.5),
      xT: Float32Array.of(1, 0.5),
      w: logits([0.4, 0.4, 0.2]),
      wT: logits([0.7, 0.2, 0.1]),
    };
    const { losses, cold } = await run(p, inputs, {});
    expect(losses[0]).toBeCloseTo(0.1837869, 6);
    expect(cold[1]).toBeCloseTo(0.1837869, 6);
  });

  it('is nothing where student and teacher agree, and has no gradient there', async () => {
    const p = trace('same', { x: f32([4, D]), w: weight([V, D]) }, ({ x, w }) => ({
      losses: linearKl({ x, w }, { x, w }, { temperature: 2 }),
    }));
    const v = vjp(p);
    const { losses, d_x, d_w } = await forwardAndBackward(run, v, inputsOf(v.forward), {});
    for (const data of [losses, d_x, d_w]) expect(Math.max(...Array.from(data, Math.abs))).toBeLessThan(1e-6);
  });

  it('has the gradient of the cross-entropy of a teacher that is sure', async () => {
    const targets = Int32Array.of(3, 40, 7);
    const v = vjp(distil(3), { constants });
    const inputs = inputsOf(v.forward, { targets: (i) => i });
    // The teacher's channel of a row is hot for its target only.
    inputs.xT = Float32Array.from({ length: 3 * DT }, (_, i) => (i % DT === Math.floor(i / DT) ? 1 : 0));
    inputs.wT = Float32Array.from({ length: V * DT }, (_, i) => (Math.floor(i / DT) === targets[i % DT] ? 200 : 0));
    const hard = vjp(
      trace('hard', { x: f32([3, D]), w: weight([V, D]), targets: i32([3]) }, ({ x, w, targets: of }) => ({
        losses: linearCrossEntropy(x, w, of),
      })),
    );
    const expected = await forwardAndBackward(run, hard, { ...inputs, targets }, {});
    const actual = await forwardAndBackward(run, v, inputs, {});
    for (const name of ['losses', 'd_x', 'd_w'])
      expect(relativeError(actual[name], expected[name]), name).toBeLessThan(1e-6);
  });

  it('ignores rows whose target is below 0: no loss, no gradient', async () => {
    const v = vjp(distil(4, 1.5), { constants });
    const inputs = inputsOf(v.forward, { targets: (i) => (i === 2 ? 5 : -1) });
    const { losses, d_x } = await forwardAndBackward(run, v, inputs, {});
    const rows = [0, 1, 2, 3];
    expect(rows.filter((r) => losses[r] !== 0)).toEqual([2]);
    expect(rows.filter((r) => d_x.subarray(r * D, (r + 1) * D).some((x) => x !== 0))).toEqual([2]);
  });
});

it.each([
  { rows: 513, temperature: 1 },
  { rows: 1030, temperature: 3 },
])('agrees with its reference on $rows rows, temperature $temperature', async ({ rows, temperature }) => {
  const v = vjp(distil(rows, temperature), { constants });
  const inputs = inputsOf(v.forward, { targets: (i) => (i % 7) - 1 });
  const actual = await forwardAndBackward(run, v, inputs, {});
  const expected = await forwardAndBackward(onReference, v, inputs, {});
  for (const name of ['losses', 'd_x', 'd_w'])
    expect(relativeError(actual[name], expected[name]), name).toBeLessThan(5e-6);
});

it.each([48, 43])('gives a row the same loss, to the bit, in whatever chunk it falls, of %i words', async (words) => {
  const losses = async (rows: number) => {
    const p = distil(rows, 1, words);
    return (await run(p, inputsOf(p), {})).losses;
  };
  const most = await losses(1030);
  for (const rows of [1, 2, 513, 600])
    expect(bytesOf(await losses(rows)).equals(bytesOf(most.subarray(0, rows))), `${rows} rows`).toBe(true);
});

it('is right in float64 where logits are far from 0', async () => {
  const v = distil(3, 0.7, 16);
  const inputs = inputsOf(v, { x: (i) => 3 + Math.sin(i), xT: (i) => 3 - Math.cos(i), w: (i) => 2 + Math.sin(3 * i) });
  const { losses } = await run(v, inputs, {});
  const logSoftmax = (x: ArrayLike<number>, w: ArrayLike<number>, width: number, r: number): number[] => {
    const z = Array.from({ length: 16 }, (_, j) => {
      let dot = 0;
      for (let i = 0; i < width; i++) dot += x[r * width + i] * w[j * width + i];
      return dot / 0.7;
    });
    const top = Math.max(...z);
    const log = Math.log(z.reduce((sum, each) => sum + Math.exp(each - top), 0));
    return z.map((each) => each - top - log);
  };
  for (let r = 0; r < 3; r++) {
    const q = logSoftmax(inputs.x, inputs.w, D, r);
    const p = logSoftmax(inputs.xT, inputs.wT, DT, r);
    const expected = p.reduce((sum, each, j) => sum + Math.exp(each) * (each - q[j]), 0);
    expect(losses[r] / expected).toBeCloseTo(1, 4);
  }
});

it('never holds the logits of more than a chunk of rows', () => {
  const [rows, words] = [2000, 4000];
  const { forward, backward } = vjp(distil(rows, 1, words), { constants });
  const traits = { isSerial: false, features: new Set<string>(), subgroupMatrix: null };
  for (const program of [forward, backward]) {
    const { passes } = planPasses(program, traits, { buffers: 8 });
    const sizes = passes.flatMap(({ bindings }) => bindings.map(({ value }) => maxElements(value.type.shape)));
    expect(Math.max(...sizes)).toBe(512 * words);
  }
});

it('refuses heads that do not fit, and a temperature of nothing', () => {
  const heads = (rowsT: number, vocabularyT: number, widthT: number, temperature = 1): unknown =>
    trace(
      'wrong',
      { x: f32([4, 8]), w: weight([16, 8]), xT: f32([rowsT, 12]), wT: weight([vocabularyT, widthT]) },
      ({ x, w, xT, wT }) => ({ losses: linearKl({ x, w }, { x: xT, w: wT }, { temperature }) }),
    );
  expect(() => heads(5, 16, 12)).toThrow(
    'linear_kl: x [4, 8] of the student and [5, 12] of the teacher differ in rows',
  );
  expect(() => heads(4, 17, 12)).toThrow('w [16, 8] of the student and [17, 12] of the teacher differ in vocabulary');
  expect(() => heads(4, 16, 8)).toThrow('linear_kl: x [4, 12] and w [16, 8] of the teacher differ in width');
  expect(() => heads(4, 16, 12, 0)).toThrow('linear_kl: the temperature is 0, needs to be above 0');
});
