/** Element-wise ops after a product, as part of it: which ops are, and that nothing but memory traffic changes. */
// @module-tag webgpu
import { afterAll, expect, it } from 'vitest';
import * as k from '../../../src/kernels/index.ts';
import type { Dim, Program, Value } from '../../../src/kernels/index.ts';
import type { AdapterTraits } from '../../../src/kernels/webgpu/lowering.ts';
import { planPasses } from '../../../src/kernels/webgpu/plan.ts';
import { toBf16 } from '../../../src/kernels/ops/bf16_cast.ts';
import { inputsOf, onDevice, onReference, relativeError } from '../kit.ts';
import { openDevice } from './kit.ts';

const device = await openDevice({ isSerial: false });
afterAll(() => device.close());

const traits: AdapterTraits = { isSerial: false, features: new Set(), subgroupMatrix: null };
const labelsOf = (program: Program, isSerial = false): string[] =>
  planPasses(program, { ...traits, isSerial }, { buffers: 8 }).passes.map(({ label }) => label);

type Outputs = Readonly<Record<string, Value>>;

/** x [rows, 12] · w [12, width], and what else bodies need. */
const product = (width: number, body: (y: Value, others: Outputs) => Outputs, rows: Dim = k.dynamic('rows', 40)) =>
  k.trace(
    'product',
    {
      x: k.f32([rows, 12]),
      w: k.weight([12, width]),
      v: k.weight([12, width]),
      residual: k.f32([rows, width]),
      bias: k.weight([width]),
      gate: k.f32([rows, 1]),
    },
    ({ x, w, v, ...others }) => body(k.matmul(x, w, { scale: 0.5 }), { other: k.matmul(x, v), ...others }),
  );

const bodies: Readonly<Record<string, readonly [labels: readonly string[], Parameters<typeof product>[1]]>> = {
  'an activation': [['matmul + relu'], (y) => ({ out: k.relu(y) })],
  'a bias, a gate for each row and a residual': [
    ['matmul + add + mul + add'],
    (y, { bias, gate, residual }) => ({ out: k.add(k.mul(k.add(y, bias), gate), residual) }),
  ],
  'a result that others read, too': [['matmul + silu'], (y) => ({ y, out: k.silu(y) })],
  'two products, multiplied': [['matmul', 'matmul + silu + mul'], (y, { other }) => ({ out: k.mul(k.silu(y), other) })],
  'both results of an activation and its square': [
    ['matmul + relu + mul'],
    (y) => {
      const active = k.relu(y);
      return { active, out: k.mul(active, active) };
    },
  ],
};

it.each(Object.entries(bodies))('%s: made with the product', async (_name, [labels, body]) => {
  // By vectors, and by elements.
  expect(labelsOf(product(16, body))).toEqual(labels);
  expect(labelsOf(product(13, body))).toEqual(labels);
  const program = product(labels.length === 1 ? 13 : 16, body);
  for (const rows of [1, 19]) {
    const inputs = inputsOf(program);
    const actual = await onDevice(device)(program, inputs, { rows });
    const expected = await onReference(program, inputs, { rows });
    for (const { name } of program.outputs)
      expect(relativeError(actual[name], expected[name]), name).toBeLessThan(3e-6);
  }
});

it('has the numbers of all of them by vectors, too', async () => {
  const program = product(16, (y, { bias, gate, residual }) => {
    const biased = k.add(y, bias);
    return { y, biased, out: k.add(k.mul(k.silu(biased), gate), residual) };
  });
  expect(labelsOf(program)).toHaveLength(1);
  const inputs = inputsOf(program);
  const actual = await onDevice(device)(program, inputs, { rows: 19 });
  const expected = await onReference(program, inputs, { rows: 19 });
  for (const { name } of program.outputs) expect(relativeError(actual[name], expected[name]), name).toBeLessThan(3e-6);
});

const without: readonly (readonly [string, Parameters<typeof product>[1], readonly string[]])[] = [
  ['another shape', (y) => ({ out: k.neg(k.reduceSum(y, [-1])) }), ['matmul', 'reduce_sum', 'neg']],
  ['bf16, which is stored by twos', (y) => ({ out: toBf16(k.relu(y)) }), ['matmul + relu', 'to_bf16']],
  ['what reads nothing of it', (y, { residual }) => ({ y, out: k.neg(residual) }), ['neg', 'matmul']],
];

it.each(without)('does without for %s', (_what, body, labels) => {
  expect(labelsOf(product(16, body)).toSorted()).toEqual([...labels].toSorted());
});

it('leaves a product alone where an epilogue would take more buffers than there are', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const specs = Object.fromEntries(names.map((name) => [name, k.f32([4, 8])]));
  const program = k.trace('many', { x: k.f32([4, 8]), w: k.weight([8, 8]), ...specs }, ({ x, w, ...others }) => ({
    out: Object.values<Value>(others).reduce((sum, other) => k.add(sum, other), k.matmul(x, w)),
  }));
  const passes = planPasses(program, traits, { buffers: 8 }).passes;
  expect(passes).toHaveLength(2);
  for (const { bindings } of passes) expect(bindings.length).toBeLessThanOrEqual(8);
});

it('counts an operand twice that the epilogue reads, too', () => {
  const names = ['c', 'd', 'e', 'f', 'g'];
  const specs = Object.fromEntries(names.map((name) => [name, k.f32([8, 8])]));
  const program = k.trace('shared', { a: k.f32([8, 8]), b: k.f32([8, 8]), ...specs }, ({ a, b, ...others }) => ({
    out: Object.values<Value>({ a, ...others }).reduce((sum, other) => k.add(sum, other), k.matmul(a, b)),
  }));
  for (const { bindings } of planPasses(program, traits, { buffers: 8 }).passes) {
    expect(bindings.length).toBeLessThanOrEqual(8);
  }
});

it('leaves products alone on a driver that computes on the processor', () => {
  expect(
    labelsOf(
      product(16, (y) => ({ out: k.relu(y) })),
      true,
    ),
  ).toEqual(['matmul', 'relu']);
});
