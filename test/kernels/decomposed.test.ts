/** Ops that the CPU device takes apart, and the op that only they use. */
import { afterAll, expect, it } from 'vitest';
import { CpuDevice, ShapeError, attention, f32, trace, vjp } from '../../src/kernels/index.ts';
import { decomposed } from '../../src/kernels/cpu/decomposed.ts';
import { planned } from '../../src/kernels/cpu/planned.ts';
import { sumPrefixes } from '../../src/kernels/ops/sum_prefixes.ts';
import { inputsOf, onDevice, onReference } from './kit.ts';

const device = new CpuDevice({ bytes: 2 ** 26 });
afterAll(() => device.close());

const causal = (tokens: number) => {
  const heads = f32([1, 2, tokens, 16]);
  return trace('attention', { q: heads, k: heads, v: heads }, ({ q, k, v }) => ({
    o: attention({ q, k, v }, { causal: true }),
  }));
};

it('puts the parts where the op stood, and leaves the program itself as it was', () => {
  const program = causal(32);
  const before = [...program.nodes];
  const parts = decomposed(program);
  expect(program.nodes).toEqual(before);
  expect(parts.nodes.map((node) => node.op)).toEqual(['matmul', 'attention_softmax', 'matmul']);
  expect(parts.nodes.at(-1)?.outputs).toEqual([program.outputs[0].value]);
  const ids = [...program.inputs.map((b) => b.value.id), ...parts.nodes.flatMap((n) => n.outputs.map((v) => v.id))];
  expect(new Set(ids).size).toBe(ids.length);
});

it('holds the scores of one block of queries', () => {
  const largest = (tokens: number) => {
    const { forward, backward } = vjp(causal(tokens));
    return Math.max(...[forward, backward].map((program) => planned(program, true).scratch.bytes));
  };
  const block = (tokens: number) => 2 * 128 * tokens * 4;
  // Scores, dP, p and dS, and what is as long as q.
  for (const tokens of [512, 1024, 4096]) expect(largest(tokens) / block(tokens)).toBeLessThan(5.5);
});

it.each([
  // The last is no multiple of four long: onnxruntime's.
  [4, [3, 5, 6]],
  [4, [3, 3, 6, 6]],
  [1, [3, 5, 5, 6]],
])('sums prefixes in their order, rows %i wide, lengths %j', async (width, lengths) => {
  const specs = Object.fromEntries(lengths.map((length, i) => [`x${i}`, f32([2, length, width])]));
  const program = trace('sum', specs, (xs) => ({ y: sumPrefixes(Object.values(xs), 1) }));
  const inputs = inputsOf(program);
  expect(await onDevice(device)(program, inputs, {})).toEqual(await onReference(program, inputs, {}));
});

it('refuses prefixes that become shorter or do not fit', () => {
  const sum = (...shapes: readonly (readonly number[])[]) =>
    trace('sum', Object.fromEntries(shapes.map((shape, i) => [`x${i}`, f32(shape)])), (xs) => ({
      y: sumPrefixes(Object.values(xs), 0),
    }));
  expect(() => sum([4, 2], [3, 2])).toThrow(ShapeError);
  expect(() => sum([4, 3], [5, 2])).toThrow('[4, 3] is no prefix of [5, 2]');
});
