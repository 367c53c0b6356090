/**
 * Programs of several ops, as models use them: cut in two they give the bits of the whole, and the split backward those
 * of the whole backward.
 */
import { afterAll, describe, expect, it } from 'vitest';
import * as k from '../../src/kernels/index.ts';
import type { InputSpec, Program, Value } from '../../src/kernels/index.ts';
import { bytesOf, forwardAndBackward, inputsOf, onDevice, type Fill } from './kit.ts';

const device = new k.CpuDevice({ bytes: 2 ** 29 });
afterAll(() => device.close());

// B sequences of T tokens (one block of 128 queries and a bit), H heads of d channels.
const [B, T, H, d] = [2, 136, 2, 16];
const [D, F, V] = [H * d, 48, 32];
const R = B * T;

const linear = (x: Value, w: Value): Value => k.matmul(x, w, { transposeB: true, scale: 0.2 });
const asHeads = (x: Value): Value => k.transpose(k.reshape(x, [B, T, H, d]), [0, 2, 1, 3]);

type Specs = Readonly<Record<string, InputSpec>>;
type Values = Readonly<Record<string, Value>>;

/** A program and where to cut it: `second` starts from what `first` returns as m. */
interface Composite {
  readonly name: string;
  readonly firstSpecs: Specs;
  readonly secondSpecs: Specs;
  readonly first: (w: Values) => Value;
  readonly second: (m: Value, w: Values) => Value;
  readonly fill?: Fill;
}

const composites: readonly Composite[] = [
  {
    name: 'a feed-forward network',
    firstSpecs: { x: k.f32([R, D]), up: k.weight([F, D]) },
    secondSpecs: { down: k.weight([D, F]) },
    first: ({ x, up }) => k.relu(linear(x, up)),
    second: (m, { down }) => linear(m, down),
  },
  {
    name: 'an attention block',
    firstSpecs: { x: k.f32([R, D]), norm: k.weight([D]), qk: k.weight([D, D]), v: k.weight([D, D]) },
    secondSpecs: { out: k.weight([D, D]), norm2: k.weight([D]), up: k.weight([F, D]) },
    first: ({ x, norm, qk, v }) => {
      const h = k.rmsNorm(x, norm, 1e-6);
      const turned = k.rope(asHeads(linear(h, qk)), { theta: 1e4 });
      const o = k.attention({ q: turned, k: turned, v: asHeads(linear(h, v)) }, { causal: true });
      return k.add(x, k.reshape(k.transpose(o, [0, 2, 1, 3]), [R, D]));
    },
    second: (m, { out, norm2, up }) => k.relu(linear(k.rmsNorm(k.add(m, linear(m, out)), norm2, 1e-6), up)),
  },
  {
    name: 'a head',
    firstSpecs: { x: k.f32([R, D]), norm: k.weight([D]) },
    secondSpecs: { head: k.weight([V, D]), targets: k.i32([R]) },
    first: ({ x, norm }) => k.rmsNorm(x, norm, 1e-6),
    second: (m, { head, targets }) => k.linearCrossEntropy(m, head, targets),
    fill: { targets: (i) => ((i * 5) % (V + 1)) - 1 },
  },
];

const whole = ({ name, firstSpecs, secondSpecs, first, second }: Composite): Program =>
  k.trace(name, { ...firstSpecs, ...secondSpecs }, (w) => ({ y: second(first(w), w) }));

describe.each(composites)('$name', (composite) => {
  const { firstSpecs, secondSpecs, first, second, fill } = composite;
  const run = onDevice(device);

  it('cut in two gives the bits of the whole, forward and gradient', async () => {
    const v = k.vjp(whole(composite));
    const inputs = inputsOf(v.forward, fill);
    const expected = await forwardAndBackward(run, v, inputs, {});

    const one = k.vjp(k.trace('first', firstSpecs, (w) => ({ m: first(w) })));
    const middle = (await run(one.forward, inputs, {})).m;
    const shape = one.forward.outputs[0].value.type.shape;
    const two = k.vjp(k.trace('second', { m: k.f32(shape), ...secondSpecs }, ({ m, ...w }) => ({ y: second(m, w) })));
    const ofSecond = await forwardAndBackward(run, two, { ...inputs, m: middle }, {});
    const ofFirst = await forwardAndBackward(run, one, { ...inputs, d_m: ofSecond.d_m }, {});

    expect(bytesOf(ofSecond.y).equals(bytesOf(expected.y))).toBe(true);
    for (const { name } of v.backward.outputs) {
      const part = name in ofSecond ? ofSecond : ofFirst;
      expect(bytesOf(part[name]).equals(bytesOf(expected[name])), name).toBe(true);
    }
  });

  it('has a split backward that gives the bits of the whole backward', async () => {
    const v = k.vjp(whole(composite));
    const inputs = inputsOf(v.forward, fill);
    const expected = await forwardAndBackward(run, v, inputs, {});
    const actual = await forwardAndBackward(run, v, inputs, {}, [v.backwardInput, v.backwardWeight]);
    for (const { name } of v.backward.outputs) {
      expect(bytesOf(actual[name]).equals(bytesOf(expected[name])), name).toBe(true);
    }
  });

  it('agrees with the plain reference', async () => {
    const v = k.vjp(whole(composite));
    const inputs = inputsOf(v.forward, fill);
    const actual = await forwardAndBackward(run, v, inputs, {});
    const reference = await forwardAndBackward((p, i, l) => Promise.resolve(k.runReference(p, i, l)), v, inputs, {});
    for (const { name } of [...v.backward.outputs, { name: 'y' }]) {
      const norm = (data: Iterable<number>): number => Math.sqrt([...data].reduce((sum, x) => sum + x * x, 0));
      const difference = Array.from(actual[name], (x, i) => x - reference[name][i]);
      expect(norm(difference) / norm(reference[name]), name).toBeLessThan(1e-5);
    }
  });
});
