/** Ops that write state: what they compute, and when a program may not use them. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, accumulate, adamw, add, f32, muon, state, trace, weight } from '../../src/kernels/index.ts';
import { inputsOf, onDevice, type Inputs } from './kit.ts';
import { muonUpdate } from './muon.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());
const run = onDevice(device);

it('accumulates in place, one addition an element', async () => {
  const program = trace('sum', { sum: state([3]), x: f32([3]) }, ({ sum, x }) => {
    accumulate(sum, x);
    return {};
  });
  const inputs = { sum: Float32Array.of(1, 2, 16777216), x: Float32Array.of(0.5, -2, 1) };
  await run(program, inputs, {});
  await run(program, inputs, {});
  expect([...inputs.sum]).toEqual([2, -2, 16777216]);
});

const update = (decay: boolean, n = 50) =>
  trace(
    'update',
    { p: state([n]), m: state([n]), v: state([n]), g: f32([n]), hyper: f32([8]) },
    ({ p, m, v, g, hyper }) => {
      adamw(p, m, v, g, hyper, { decay });
      return {};
    },
  );
const [lr, beta1, beta2, eps, decayRate, clip] = [1e-2, 0.9, 0.95, 1e-8, 0.1, 0.5];

it.each([true, false])('updates as AdamW does over three steps (decay: %s)', async (decay) => {
  const program = update(decay);
  const inputs = inputsOf(program, { m: () => 0, v: () => 0 });
  const [p, m, v] = [[...inputs.p], new Array<number>(50).fill(0), new Array<number>(50).fill(0)];
  for (let t = 1; t <= 3; t++) {
    const [c1, c2] = [1 - beta1 ** t, 1 - beta2 ** t];
    const hyper = Float32Array.of(lr, beta1, beta2, eps, decayRate, c1, c2, clip);
    await run(program, { ...inputs, hyper }, {});
    for (let i = 0; i < 50; i++) {
      const g = inputs.g[i] * clip;
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      p[i] -= lr * (m[i] / c1 / (Math.sqrt(v[i] / c2) + eps) + (decay ? decayRate : 0) * p[i]);
    }
  }
  for (let i = 0; i < 50; i++) expect(Math.abs(inputs.p[i] - p[i])).toBeLessThan(2e-7);
});

// 52 elements run in SIMD, 50 by the reference.
it.each([50, 52])('rounds every operation to fp32, in the documented order (%i elements)', async (n) => {
  const inputs = inputsOf(update(true, n), { v: (i) => (i + 1) / 64 });
  const hyper = Float32Array.of(lr, beta1, beta2, eps, decayRate, 0.271, 0.142, clip);
  const before = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, data.slice()]));
  await run(update(true, n), { ...inputs, hyper }, {});
  const f = Math.fround;
  const [lr_, b1, b2, eps_, wd, c1, c2, clip_] = hyper;
  for (let i = 0; i < n; i++) {
    const g = f(before.g[i] * clip_);
    const m = f(f(b1 * before.m[i]) + f(f(1 - b1) * g));
    const v = f(f(b2 * before.v[i]) + f(f(1 - b2) * f(g * g)));
    const step = f(f(m * f(1 / c1)) / f(f(Math.sqrt(f(v * f(1 / c2)))) + eps_));
    const p = f(before.p[i] - f(lr_ * f(step + f(wd * before.p[i]))));
    expect([inputs.m[i], inputs.v[i], inputs.p[i]]).toEqual([m, v, p]);
  }
});

it.each([50, 52])('updates by no gradient as by one of zeros, bit for bit (%i elements)', async (n) => {
  const ofNone = trace('none', { p: state([n]), m: state([n]), v: state([n]), hyper: f32([8]) }, (w) => {
    adamw(w.p, w.m, w.v, null, w.hyper);
    return {};
  });
  const hyper = Float32Array.of(lr, beta1, beta2, eps, decayRate, 0.271, 0.142, clip);
  const given = inputsOf(ofNone, { v: (i) => i / 64 });
  const [none, zeros] = [0, 1].map(() => ({ p: given.p.slice(), m: given.m.slice(), v: given.v.slice(), hyper }));
  await run(ofNone, none, {});
  await run(update(true, n), { ...zeros, g: new Float32Array(n) }, {});
  expect(none).toEqual(zeros);
  expect(none.p).not.toEqual(given.p);
});

// 52 elements run in SIMD, 50 by the reference.
it.each([
  [5, 10, true],
  [4, 13, true],
  [4, 13, false],
])(
  'ends an update of %i x %i as Muon does, each operation rounded to fp32 (decay: %s)',
  async (rows, columns, decay) => {
    const program = muonUpdate(rows, columns, decay);
    const hyper = Float32Array.of(lr, 0.95, decayRate, clip, 1e-7);
    const inputs: Inputs = { ...inputsOf(program), hyper };
    const before = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, data.slice()]));
    await run(program, inputs, {});
    const f = Math.fround;
    const [lr_, momentum, wd, clip_] = hyper;
    for (let i = 0; i < rows * columns; i++) {
      const step = f(f(f(1.3) * before.o[i]) + f((decay ? wd : 0) * before.p[i]));
      const p = f(before.p[i] - f(lr_ * step));
      const m = f(f(momentum * before.m[i]) + f(before.g[i] * clip_));
      expect([inputs.p[i], inputs.m[i]]).toEqual([p, m]);
    }
  },
);

it('refuses shapes that are no update of a matrix', () => {
  const traced = (p: readonly number[], m: readonly number[], hyper: number) => () =>
    trace('t', { p: state(p), m: state(m), o: f32(p), g: f32(p), hyper: f32([hyper]) }, (w) => {
      muon(w.p, w.m, w.o, w.g, w.hyper);
      return {};
    });
  expect(traced([4, 4], [4, 5], 5)).toThrow('muon: [4, 5] does not fit parameters [4, 4]');
  expect(traced([16], [16], 5)).toThrow('muon: parameters has shape [16], needs 2 axes');
  expect(traced([4, 4], [4, 4], 8)).toThrow('muon: hyper is [8], needs [5]');
});

it('refuses a program that reads state after writing it', () => {
  expect(() =>
    trace('late', { sum: state([3]), x: f32([3]) }, ({ sum, x }) => {
      accumulate(sum, x);
      return { y: add(sum, x) };
    }),
  ).toThrow('program late: add reads state after it was written');
});

it('refuses a program that writes what is not state', () => {
  expect(() =>
    trace('wrong', { w: weight([3]), x: f32([3]) }, ({ w, x }) => {
      accumulate(w, x);
      return {};
    }),
  ).toThrow('program wrong: accumulate writes an input that is not declared as state');
});
