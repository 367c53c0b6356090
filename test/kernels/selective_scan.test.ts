/** The selective scan: a vector that was worked out apart from this code, and what the cumulative form of it cannot do. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, f32, selectiveScan, ShapeError, trace, vjp, weight, type Vjp } from '../../src/kernels/index.ts';
import { forwardAndBackward, onDevice, onReference, relativeError, type Inputs, type Run } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const runs: readonly (readonly [string, Run])[] = [
  ['the reference', onReference],
  ['the cpu device', onDevice(device)],
];

const scanOf = (tokens: number, channels: number, states: number): Vjp =>
  vjp(
    trace(
      'scan',
      {
        u: f32([1, tokens, channels]),
        delta: f32([1, tokens, channels]),
        a: weight([channels, states]),
        b: f32([1, tokens, states]),
        c: f32([1, tokens, states]),
        d: weight([channels]),
      },
      ({ u, delta, a, b, c, d }) => ({ y: selectiveScan({ u, delta, a, b, c, d }) }),
    ),
  );
const softplus = (x: number): number => Math.log1p(Math.exp(x));
/** `rows` with zeros behind each, up to `width`. */
const widened = (rows: readonly (readonly number[])[], width: number): Float32Array =>
  Float32Array.from(rows.flatMap((row) => [...row, ...Array.from({ length: width - row.length }, () => 0)]));

// States that nothing goes into and nothing reads change nothing: four states are run by generated code, two are not.
it.each(runs.flatMap(([name, run]) => [2, 4].map((states) => ({ name, run, states }))))(
  'gives the golden vector on $name, $states states',
  async ({ run, states }) => {
    const inputs: Inputs = {
      u: Float32Array.of(1, 2, -1),
      delta: Float32Array.from([0, 1, -1], (x) => softplus(x + 0.5)),
      a: widened([[-1, -2]], states),
      b: widened(
        [
          [1, 0.5],
          [0.5, -1],
          [1, 1],
        ],
        states,
      ),
      c: widened(
        [
          [1, 1],
          [0.5, 2],
          [-1, 0.5],
        ],
        states,
      ),
      d: Float32Array.of(1),
    };
    const { y } = await run(scanOf(3, 1, states).forward, inputs, {});
    [2.4611155, -3.8336819, -2.5887131].forEach((expected, i) => expect(y[i]).toBeCloseTo(expected, 6));
  },
);

it.each([
  ...runs.map(([name, run]) => ({ name, run, tokens: 70 })),
  { name: runs[1][0], run: runs[1][1], tokens: 4096 },
])('is right on $name where a step forgets everything: Δ = 10, A = −16, $tokens tokens', async ({ run, tokens }) => {
  const [channels, states] = [4, 16];
  const fill = (length: number, of: (i: number) => number): Float32Array =>
    Float32Array.from({ length }, (_, i) => of(i));
  const inputs: Inputs = {
    u: fill(tokens * channels, (i) => Math.sin(i)),
    delta: fill(tokens * channels, () => 10),
    a: fill(channels * states, () => -16),
    b: fill(tokens * states, (i) => Math.cos(i)),
    c: fill(tokens * states, (i) => Math.sin(2 * i)),
    d: fill(channels, (i) => i - 1),
    d_y: fill(tokens * channels, (i) => Math.cos(3 * i)),
  };
  const { u, b, c, d, d_y } = inputs;
  // exp(−160) is far below the smallest number: h_t = Δ u_t B_t, so y_t = u_t (Δ B_t·C_t + D), and no gradient reaches back.
  const dot = (t: number): number =>
    Array.from({ length: states }, (_, n) => b[t * states + n] * c[t * states + n]).reduce((sum, x) => sum + x, 0);
  const results = await forwardAndBackward(run, scanOf(tokens, channels, states), inputs, {});
  const dots = Array.from({ length: tokens }, (_, t) => dot(t));
  const factor = (i: number): number => 10 * dots[Math.floor(i / channels)] + d[i % channels];
  const expected = {
    y: u.map((x, i) => x * factor(i)),
    d_u: d_y.map((c, i) => c * factor(i)),
    d_delta: d_y.map((c, i) => c * u[i] * dots[Math.floor(i / channels)]),
  };
  for (const name of ['y', 'd_u', 'd_delta'] as const)
    expect(relativeError(results[name], expected[name]), name).toBeLessThan(1e-6);
  expect(results.d_a.every((x) => Math.abs(x) < 1e-30)).toBe(true);
});

it('refuses operands that do not fit, with their shapes', () => {
  const wrong = (): unknown =>
    trace('scan', { u: f32([1, 3, 4]), a: weight([4, 8]), b: f32([1, 3, 4]), d: weight([4]) }, ({ u, a, b, d }) => ({
      y: selectiveScan({ u, delta: u, a, b, c: b, d }),
    }));
  expect(wrong).toThrow(ShapeError);
  expect(wrong).toThrow('[1, 3, 4], [1, 3, 4], [4, 8], [1, 3, 4], [1, 3, 4], [4] do not fit');
});
