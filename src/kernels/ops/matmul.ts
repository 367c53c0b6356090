/**
 * y[..., m, n] = scale · Σk a[..., m, k] · b[..., k, n], either operand read transposed in its last two axes.
 * Leading axes of both operands are equal, or one operand has only two axes and is shared by the whole batch.
 *
 * onnxruntime's FusedMatMul gives a row the same bits whatever the other rows, from two rows on; every static M and N is
 * therefore at least 2 (the executable pads fewer live rows).
 *
 * With a precision below f32 the operands are rounded first; sums are fp32 all the same. The CPU device rounds in ops of their
 * own, so that it says what a GPU's f16 would give.
 */
import { clear, floats } from '../dtype.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Precision } from '../precision.ts';
import type { Type } from '../type.ts';
import { elements, maxElements, sameDim, sameShape, showShape, type Dim, type Shape } from '../shape.ts';
import { matmulPass } from '../webgpu/wgsl/matmul.ts';
import type { Matrix, Product } from '../webgpu/wgsl/product.ts';
import { roundTo, roundedTo } from './round_to.ts';
import { sumTo } from './sum_to.ts';

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly scale?: number;
  /** What operands are rounded to; default: that of the trace. */
  readonly precision?: Precision;
}

type Attributes = Required<MatmulOptions>;

const op = defineOp<Attributes>({
  name: 'matmul',
  infer: ([a, b], attributes) => [inferMatmul(a, b, attributes)],
  reference: ([a, b], [y], { transposeA, transposeB, scale, precision }) => {
    const [m, n] = y.shape.slice(-2) as [number, number];
    const k = a.shape.at(transposeA ? -2 : -1)!;
    const x_ = roundedTo(precision, floats('matmul', a.data));
    const w_ = roundedTo(precision, floats('matmul', b.data));
    const y_ = floats('matmul', y.data);
    if (k === 0) {
      clear(y_);
      return;
    }
    const batch = elements(y.shape.slice(0, -2));
    const stepA = a.shape.length === 2 ? 0 : m * k;
    const stepB = b.shape.length === 2 ? 0 : k * n;
    const [aRow, aCol] = transposeA ? [1, m] : [k, 1];
    const [bRow, bCol] = transposeB ? [1, k] : [n, 1];
    for (let s = 0; s < batch; s++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++) sum += x_[s * stepA + i * aRow + l * aCol] * w_[s * stepB + l * bRow + j * bCol];
          y_[s * m * n + i * n + j] = scale * sum;
        }
      }
    }
  },
  gradient: ({ inputs: [a, b], cotangents: [c] }, { transposeA, transposeB, ...same }) => {
    const da = transposeA
      ? matmul(b, c!, { transposeA: transposeB, transposeB: true, ...same })
      : matmul(c!, b, { transposeB: !transposeB, ...same });
    const db = transposeB
      ? matmul(c!, a, { transposeA: true, transposeB: transposeA, ...same })
      : matmul(a, c!, { transposeA: !transposeA, ...same });
    return [sumTo(da, a.type.shape), sumTo(db, b.type.shape)];
  },
  decompose: ([a, b], { precision, ...same }) =>
    precision === 'f32' ? null : [matmul(roundTo(precision, a), roundTo(precision, b), { ...same, precision: 'f32' })],
  onnx: (graph, inputs, { outputs }, { transposeA, transposeB, scale }) => {
    if (outputs[0].shape.slice(-2).some((dim) => typeof dim === 'number' && dim < 2)) return null;
    const flags = { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: scale } };
    return [graph.one('FusedMatMul', inputs, flags)];
  },
  wgsl: (lowering, [a, b], [y], attributes, epilogue) =>
    matmulPass(lowering, { ...productOf(a, b, y, attributes), epilogue }),
  takesEpilogue: true,
  flops: ({ inputs: [a], outputs: [y] }, { transposeA }) =>
    2 * maxElements(y.shape) * maxElements([a.shape.at(transposeA ? -2 : -1)!]),
});

/** The product, see the head of this file. Throws `ShapeError` when the shapes do not fit. */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transposeA = false, transposeB = false, scale = 1, precision = a.graph.precision } = options;
  return op([a, b], { transposeA, transposeB, scale, precision })[0];
}

function inferMatmul(a: Type, b: Type, { transposeA, transposeB }: Attributes): Type {
  for (const { dtype } of [a, b]) if (dtype !== 'f32') throw new DTypeError('matmul', 'f32', dtype);
  const fail = (why: string) => new ShapeError('matmul', `${showShape(a.shape)} by ${showShape(b.shape)}: ${why}`);
  if (a.shape.length < 2 || b.shape.length < 2) throw fail('both operands need two axes or more');
  const last = (shape: Shape, transposed: boolean): [Dim, Dim] => {
    const [row, column] = [shape.at(-2)!, shape.at(-1)!];
    return transposed ? [column, row] : [row, column];
  };
  const [m, k] = last(a.shape, transposeA);
  const [k2, n] = last(b.shape, transposeB);
  if (!sameDim(k, k2)) throw fail('the inner dimensions differ');
  const leadingA = a.shape.slice(0, -2);
  const leadingB = b.shape.slice(0, -2);
  if (leadingA.length > 0 && leadingB.length > 0 && !sameShape(leadingA, leadingB)) throw fail('the batch axes differ');
  return { dtype: 'f32', shape: [...(leadingA.length > 0 ? leadingA : leadingB), m, n] };
}

/** The product as the WebGPU device makes it; leading axes beyond the last two are the batch. */
export function productOf(
  a: Value,
  b: Value,
  y: Value,
  { transposeA, transposeB, scale, precision }: Attributes,
): Product {
  const [m, n] = y.type.shape.slice(-2);
  const k = a.type.shape.at(transposeA ? -2 : -1)!;
  return {
    label: 'matmul',
    a: matrixOf(a, transposeA),
    b: matrixOf(b, transposeB),
    y: { value: y, batchStep: maxElements([m, n]), rowStep: maxElements([n]) },
    batch: y.type.shape.slice(0, -2),
    m,
    n,
    k,
    scale,
    precision,
  };
}

function matrixOf(value: Value, isTransposed: boolean): Matrix {
  const { shape } = value.type;
  const width = maxElements(shape.slice(-1));
  return {
    value,
    batchStep: shape.length === 2 ? 0 : maxElements(shape.slice(-2)),
    rowStep: isTransposed ? 1 : width,
    columnStep: isTransposed ? width : 1,
  };
}
