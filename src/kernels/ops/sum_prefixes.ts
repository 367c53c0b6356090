/**
 * The sum of tensors of which each covers one prefix of an axis: y = Σ xᵢ, element j of the axis taking part in those that
 * are longer than j, added in their order. No length is below the one before.
 */
import { axisOf, isEmpty, requireFloats, staticSize } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { elements, isStatic, maxElements, sameShape, showShape } from '../shape.ts';

const op = defineOp<{ axis: number }>({
  name: 'sum_prefixes',
  infer: (xs, { axis }) => {
    requireFloats('sum_prefixes', xs);
    const lengths = xs.map(({ shape }) => staticSize('sum_prefixes', `axis ${axis}`, shape[axis]));
    const last = xs[xs.length - 1];
    xs.forEach(({ shape }, i) => {
      if (sameShape(shape, last.shape.with(axis, lengths[i])) && (i === 0 || lengths[i] >= lengths[i - 1])) return;
      throw new ShapeError('sum_prefixes', `${showShape(shape)} is no prefix of ${showShape(last.shape)}`);
    });
    return [last];
  },
  reference: (xs, [y], { axis }) => {
    const to = floats('sum_prefixes', y.data);
    const inner = elements(y.shape.slice(axis + 1));
    const outer = elements(y.shape.slice(0, axis));
    to.fill(0);
    for (const { data, shape } of xs) {
      const from = floats('sum_prefixes', data);
      const length = shape[axis] * inner;
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < length; i++) to[o * y.shape[axis] * inner + i] += from[o * length + i];
      }
    }
  },
  wasm: (kernel, xs, [y], { axis }) => {
    const { shape } = y.type;
    if (!isStatic(shape)) return false;
    const inner = elements(shape.slice(axis + 1));
    const lengths = xs.map(({ type }) => Number(type.shape[axis]) * inner);
    if (lengths.some((length) => length === 0 || !kernel.takes([length]))) return false;
    kernel.fn.loop(i32.const(0), i32.const(elements(shape.slice(0, axis))), 1, (o) => {
      const starts = lengths.map((length) => kernel.fn.let(i32.mul(o, i32.const(length * 4))));
      const target = starts[starts.length - 1];
      // Piece p of the axis is in all but the first p.
      lengths.forEach((length, p) => {
        const before = lengths[p - 1] ?? 0;
        kernel.across(
          length - before,
          (at, offset) => {
            const parts = xs.slice(p).map((x, i) => kernel.load(x, kernel.in(starts[p + i], at), offset));
            const sum = parts.reduce((a, b) => kernel.f.add(a, b), kernel.f.constant(0));
            kernel.store(y, sum, kernel.in(target, at), offset);
          },
          i32.const(before * 4),
        );
      });
    });
    return true;
  },
  wgsl: (lowering, xs, [y], { axis }) => {
    const inner = maxElements(y.type.shape.slice(axis + 1));
    const whole = Number(y.type.shape[axis]) * inner;
    const parts = xs.map(({ type }, n) => {
      const length = Number(type.shape[axis]) * inner;
      return `if (at < ${length}u) { sum += x${n}[outer * ${length}u + at]; }`;
    });
    lowering.each({
      label: 'sum_prefixes',
      reads: Object.fromEntries(xs.map((x, n) => [`x${n}`, x])),
      writes: { y },
      over: y.type.shape,
      body: `let outer = i / ${whole}u;\nlet at = i % ${whole}u;\nvar sum = 0f;\n${parts.join('\n')}\ny[i] = sum;`,
    });
  },
  onnx: (graph, names, { inputs }, { axis }) => {
    const shapes = inputs.map(({ shape }) => shape);
    if (shapes.some((shape) => isEmpty(shape) || !isStatic(shape))) return null;
    const lengths = shapes.map((shape) => Number(shape[axis]));
    const borders = [...new Set(lengths)];
    const sums: string[] = [];
    names.forEach((name, i) => {
      const own = borders.slice(0, borders.indexOf(lengths[i]) + 1);
      const sizes = own.map((length, j) => length - (own[j - 1] ?? 0));
      const pieces = own.length === 1 ? [name] : graph.op('Split', [name, graph.int64(sizes)], { axis }, own.length);
      pieces.forEach((piece, j) => (sums[j] = j in sums ? graph.one('Add', [sums[j], piece]) : piece));
    });
    return [sums.length === 1 ? sums[0] : graph.one('Concat', sums, { axis })];
  },
});

/** See the head of this file; `axis` may be negative: from the back. Throws `ShapeError` where one is no prefix of the next. */
export function sumPrefixes(xs: readonly Value[], axis: number): Value {
  return op(xs, { axis: axisOf('sum_prefixes', axis, xs[0].type.shape.length) })[0];
}
