/**
 * What the experts taken by a row count: their scores, or the softmax of their logits alone; then divided by their sum, and
 * scaled, where asked. Formulas of a whole row, which devices run in their own arithmetic. Shape suffixes: R rows, K taken.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { i32, i32x4, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { floats, ints } from '../dtype.ts';
import { exp } from '../elementary.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { sameShape, showShape } from '../shape.ts';
import type { Operand, Typed } from '../type.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { arithmeticOf, Statements } from '../webgpu/wgsl/arithmetic.ts';
import { checkColumns } from './gather_columns.ts';

export interface RouterGates {
  /** A softmax over the row: of logits. Else they are scores already. */
  readonly isSoftmax: boolean;
  /** Divided by their sum. */
  readonly isNormalised: boolean;
  readonly scale: number;
}

/** Added to the sum of a row, so that a row without experts has gates of 0. */
const TINY = 1e-20;
const BITS_OF_ONE = 0x3f800000;

type RowFormula = <T>(f: Arithmetic<T>, rows: readonly (readonly T[])[], isTaken: readonly T[]) => readonly T[];

const sumOf = <T>(f: Arithmetic<T>, terms: readonly T[]): T => terms.reduce((sum, term) => f.add(sum, term));

/** Gates before they are divided and scaled. */
function plainGates<T>(
  f: Arithmetic<T>,
  picked: readonly T[],
  isTaken: readonly T[],
  isSoftmax: boolean,
): readonly T[] {
  const zero = f.constant(0);
  const taken = (x: T, k: number): T => f.whereLess(zero, isTaken[k], x, zero);
  if (!isSoftmax) return picked.map(taken);
  const lowest = f.constant(-Infinity);
  const top = picked.map((x, k) => f.whereLess(zero, isTaken[k], x, lowest)).reduce((a, b) => f.larger(b, a));
  const exponentials = picked.map((x, k) => taken(exp(f, f.sub(x, top)), k));
  const sum = sumOf(f, exponentials);
  return exponentials.map((e, k) => taken(f.div(e, sum), k));
}

const gatesOf =
  ({ isSoftmax, isNormalised, scale }: RouterGates): RowFormula =>
  (f, [picked], isTaken) => {
    const plain = plainGates(f, picked, isTaken, isSoftmax);
    const sum = f.add(sumOf(f, plain), f.constant(TINY));
    return plain.map((gate) => f.mul(isNormalised ? f.div(gate, sum) : gate, f.constant(scale)));
  };

const gradientOf =
  ({ isSoftmax, isNormalised, scale }: RouterGates): RowFormula =>
  (f, [picked, cotangents], isTaken) => {
    const zero = f.constant(0);
    const plain = plainGates(f, picked, isTaken, isSoftmax);
    let d = cotangents.map((c) => f.mul(c, f.constant(scale)));
    const dotOf = (gates: readonly (typeof d)[number][]) =>
      sumOf(
        f,
        gates.map((gate, k) => f.mul(d[k], gate)),
      );
    if (isNormalised) {
      const sum = f.add(sumOf(f, plain), f.constant(TINY));
      const dot = dotOf(plain.map((gate) => f.div(gate, sum)));
      d = d.map((each) => f.div(f.sub(each, dot), sum));
    }
    if (isSoftmax) {
      const dot = dotOf(plain);
      d = d.map((each, k) => f.mul(plain[k], f.sub(each, dot)));
    }
    return d.map((each, k) => f.whereLess(zero, isTaken[k], each, zero));
  };

const gradient = defineOp<RouterGates>({
  name: 'router_gates_gradient',
  infer: ([picked]) => [picked],
  reference: ([picked, taken, dGates], [dPicked], rule) =>
    eachRow([picked, dGates], taken, dPicked, gradientOf(rule), 'router_gates_gradient'),
  wasm: (kernel, [picked, taken, dGates], [dPicked], rule) =>
    emitRows(kernel, [picked, dGates], taken, dPicked, gradientOf(rule)),
  wgsl: (lowering, [picked, taken, d_gates], [out], rule) =>
    rowsPass(lowering, { picked, d_gates }, { taken, out }, gradientOf(rule), 'router_gates_gradient'),
});

const op = defineOp<RouterGates>({
  name: 'router_gates',
  infer: ([picked, taken]) => {
    checkColumns('router_gates', picked, taken);
    if (!sameShape(picked.shape, taken.shape)) {
      throw new ShapeError('router_gates', `${showShape(picked.shape)} and ${showShape(taken.shape)} differ`);
    }
    return [picked];
  },
  reference: ([picked, taken], [gates], rule) => eachRow([picked], taken, gates, gatesOf(rule), 'router_gates'),
  wasm: (kernel, [picked, taken], [gates], rule) => emitRows(kernel, [picked], taken, gates, gatesOf(rule)),
  wgsl: (lowering, [picked, taken], [out], rule) =>
    rowsPass(lowering, { picked }, { taken, out }, gatesOf(rule), 'router_gates'),
  gradient: ({ inputs: [picked, taken], cotangents: [c] }, rule) => [c && gradient([picked, taken, c], rule)[0], null],
});

/** Gates [R, K] of picked [R, K] and taken i32 [R, K], whose −1 have gates of 0; R may be dynamic. Throws `ShapeError`. */
export function routerGates(picked: Value, taken: Value, rule: RouterGates): Value {
  return op([picked, taken], rule)[0];
}

function eachRow(inputs: readonly Operand[], taken: Operand, output: Operand, formula: RowFormula, name: string): void {
  const expert = ints(name, taken.data);
  const to = floats(name, output.data);
  const from = inputs.map(({ data }) => floats(name, data));
  const [, picks] = taken.shape;
  for (let at = 0; at < to.length; at += picks) {
    const isTaken = Array.from(expert.subarray(at, at + picks), (e) => Number(e >= 0));
    const rows = from.map((data) => Array.from(data.subarray(at, at + picks)));
    to.set(formula(numbers, rows, isTaken), at);
  }
}

function emitRows(
  kernel: Kernel,
  inputs: readonly WasmOperand[],
  taken: WasmOperand,
  output: WasmOperand,
  formula: RowFormula,
): boolean {
  const { fn } = kernel;
  const [rows, width] = taken.type.shape;
  const picks = Array.from({ length: Number(width) }, (_, k) => 4 * k);
  kernel.rows(rows, picks.length, (row, start) => {
    const isTaken = picks.map((offset): V128 => {
      const index = fn.let(i32.add(i32.mul(row, i32.const(picks.length)), i32.const(offset / 4)));
      const isOne = i32.geS(kernel.integer(taken, index), i32.const(0));
      return fn.let(i32x4.splat(i32.mul(isOne, i32.const(BITS_OF_ONE))));
    });
    const of = (x: WasmOperand): V128[] => picks.map((offset) => kernel.splat(x, start, offset));
    formula(kernel.f, inputs.map(of), isTaken).forEach((gate, k) => kernel.storeOne(output, gate, start, picks[k]));
  });
  return true;
}

function rowsPass(
  lowering: Lowering,
  inputs: Readonly<Record<string, Typed>>,
  { taken, out }: { readonly taken: Typed; readonly out: Typed },
  formula: RowFormula,
  label: string,
): void {
  const statements = new Statements();
  const places = Array.from(
    { length: innerOf(taken.type.shape) },
    (_, k) => `i * ${innerOf(taken.type.shape)}u + ${k}u`,
  );
  const isTaken = places.map((at) => statements.let(`select(0f, 1f, taken[${at}] >= 0)`));
  const rows = Object.keys(inputs).map((name) => places.map((at) => statements.let(`${name}[${at}]`)));
  const made = formula(arithmeticOf(statements, 1), rows, isTaken);
  made.forEach((gate, k) => statements.add(`out[${places[k]}] = ${gate};`));
  const reads = { ...inputs, taken };
  lowering.each({ label, reads, writes: { out }, over: taken.type.shape.slice(0, 1), body: statements.text });
}
