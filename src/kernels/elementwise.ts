/**
 * How element-wise ops are made: one formula of fp32 arithmetic, which the reference runs on numbers and generated code on
 * lanes, with the same bits; the ONNX op of the same meaning; and NumPy broadcasting.
 */
import { numbers, type Arithmetic } from './arithmetic.ts';
import { floats } from './dtype.ts';
import type { OnnxGraph } from './cpu/onnx_graph.ts';
import { DTypeError } from './errors.ts';
import { defineOp } from './op.ts';
import type { Operand, Type } from './type.ts';
import type { GradientCall, Value } from './graph.ts';
import { broadcastShapes, broadcastStrides, elements, maxElements } from './shape.ts';
import { sumTo } from './ops/sum_to.ts';

/** The ONNX op of the same meaning, or the nodes that make it; none where ONNX breaks the numbers contract. */
type Lowering = string | ((graph: OnnxGraph, ...inputs: readonly string[]) => string);

interface Binary {
  readonly name: string;
  readonly onnx?: Lowering;
  readonly formula: <T>(f: Arithmetic<T>, a: T, b: T) => T;
  /** d(loss)/da and d(loss)/db before they are summed down to the operands' shapes. */
  readonly gradient?: (c: Value, a: Value, b: Value, y: Value) => readonly [Value | null, Value | null];
}

/** A binary op with broadcasting. */
export function binary({ name, onnx, formula, gradient }: Binary): (a: Value, b: Value) => Value {
  const op = defineOp<undefined>({
    name,
    infer: ([a, b]) => [{ dtype: real(name, a), shape: broadcastShapes(name, a.shape, b.shape) }],
    formula: (f, [a, b]) => formula(f, a, b),
    reference: ([a, b], [y]) => broadcastApply(name, a, b, y, (p, q) => formula(numbers, p, q)),
    ...(onnx === undefined ? {} : { onnx: (graph, inputs, { outputs: [type] }) => lower(onnx, graph, inputs, type) }),
    ...(gradient === undefined
      ? {}
      : {
          gradient: ({ inputs: [a, b], outputs: [y], cotangents: [c] }: GradientCall) => {
            const [da, db] = gradient(c!, a, b, y);
            return [da && sumTo(da, a.type.shape), db && sumTo(db, b.type.shape)];
          },
        }),
  });
  return (a, b) => op([a, b], undefined)[0];
}

interface Unary {
  readonly name: string;
  readonly onnx?: Lowering;
  readonly formula: <T>(f: Arithmetic<T>, x: T) => T;
  /** d(loss)/dx from the cotangent, the operand and the result. */
  readonly gradient?: (c: Value, x: Value, y: Value) => Value;
}

/** A unary op. */
export function unary({ name, onnx, formula, gradient }: Unary): (x: Value) => Value {
  const op = defineOp<undefined>({
    name,
    infer: ([x]) => [{ dtype: real(name, x), shape: x.shape }],
    formula: (f, [x]) => formula(f, x),
    reference: ([x], [y]) => {
      const from = floats(name, x.data);
      const to = floats(name, y.data);
      for (let i = 0; i < to.length; i++) to[i] = formula(numbers, from[i]);
    },
    ...(onnx === undefined ? {} : { onnx: (graph, inputs, { outputs: [type] }) => lower(onnx, graph, inputs, type) }),
    ...(gradient === undefined
      ? {}
      : { gradient: ({ inputs: [x], outputs: [y], cotangents: [c] }: GradientCall) => [gradient(c!, x, y)] }),
  });
  return (x) => op([x], undefined)[0];
}

function lower(onnx: Lowering, graph: OnnxGraph, inputs: readonly string[], { shape }: Type): string[] | null {
  if (maxElements(shape) === 0) return null;
  return [typeof onnx === 'string' ? graph.one(onnx, inputs) : onnx(graph, ...inputs)];
}

function real(op: string, type: Type): 'f32' {
  if (type.dtype !== 'f32') throw new DTypeError(op, 'f32', type.dtype);
  return 'f32';
}

function broadcastApply(
  op: string,
  a: Operand,
  b: Operand,
  y: Operand,
  scalar: (a: number, b: number) => number,
): void {
  const from = floats(op, a.data);
  const other = floats(op, b.data);
  const to = floats(op, y.data);
  if (elements(a.shape) === to.length && elements(b.shape) === to.length) {
    for (let i = 0; i < to.length; i++) to[i] = scalar(from[i], other[i]);
    return;
  }
  const stepsA = broadcastStrides(a.shape, y.shape);
  const stepsB = broadcastStrides(b.shape, y.shape);
  const at = new Array<number>(y.shape.length).fill(0);
  let ia = 0;
  let ib = 0;
  for (let i = 0; i < to.length; i++) {
    to[i] = scalar(from[ia], other[ib]);
    for (let axis = at.length - 1; axis >= 0; axis--) {
      ia += stepsA[axis];
      ib += stepsB[axis];
      if (++at[axis] < y.shape[axis]) break;
      ia -= stepsA[axis] * y.shape[axis];
      ib -= stepsB[axis] * y.shape[axis];
      at[axis] = 0;
    }
  }
}
