/** Parts of a training step as programs, and as the ops of onnxruntime that make the same numbers. */
import { onnxType, type OnnxGraph } from '../src/kernels/cpu/onnx_graph.ts';
import * as k from '../src/kernels/index.ts';
import type { InputSpec, Program, Value } from '../src/kernels/index.ts';
import { timeGraph, typed, type Fill } from './device_program.ts';

export interface Pair {
  readonly name: string;
  readonly program: Program;
  /** The results of the program's outputs, in order, from its inputs by name. */
  readonly onnx: (graph: OnnxGraph) => readonly string[];
  readonly fill: Fill;
}

const [ROWS, WIDTH, VOCABULARY] = [2048, 256, 32_000];

type Inputs = Readonly<Record<string, InputSpec>>;
const forwardOf = (inputs: Inputs, body: (v: Readonly<Record<string, Value>>) => Value): Program =>
  k.vjp(k.trace('part', inputs, (v) => ({ y: body(v) }))).forward;
const backwardOf = (inputs: Inputs, body: (v: Readonly<Record<string, Value>>) => Value): Program =>
  k.vjp(k.trace('part', inputs, (v) => ({ y: body(v) }))).backward;

const million = { a: k.f32([2 ** 20]), b: k.f32([2 ** 20]) };
const matrix = k.f32([ROWS, WIDTH]);
const scrambled = (i: number): number => (i * 1103) % ROWS;

export const pairs: readonly Pair[] = [
  {
    name: 'chain of 8 over 1 M values',
    program: k.trace('chain', million, ({ a, b }) => ({
      y: k.sub(k.mul(k.add(k.maximum(k.neg(k.mul(k.sub(k.add(a, b), a), b)), a), b), a), b),
    })),
    onnx: (g) => {
      const chain = [
        ['Add', 'b'],
        ['Sub', 'a'],
        ['Mul', 'b'],
        ['Neg'],
        ['Max', 'a'],
        ['Add', 'b'],
        ['Mul', 'a'],
        ['Sub', 'b'],
      ];
      return [chain.reduce((x, [op, ...more]) => g.one(op, [x, ...more]), 'a')];
    },
    fill: {},
  },
  {
    name: 'RMSNorm, backward',
    program: backwardOf({ x: matrix, w: k.weight([WIDTH]) }, ({ x, w }) => k.rmsNorm(x, w, 1e-6)),
    // dx = r (dy w − x r² mean(dy w x)), dw = Σ dy x r, with r made again as ours is.
    onnx: (g) => {
      const mean = g.one('ReduceMean', [g.one('Mul', ['x', 'x']), g.int64([1])], { keepdims: 1 });
      const r = g.one('Reciprocal', [g.one('Sqrt', [g.one('Add', [mean, g.float32([1e-6])])])]);
      const pulled = g.one('Mul', ['d_y', 'w']);
      const dot = g.one('ReduceMean', [g.one('Mul', [pulled, 'x']), g.int64([1])], { keepdims: 1 });
      const back = g.one('Mul', ['x', g.one('Mul', [g.one('Mul', [r, r]), dot])]);
      const dx = g.one('Mul', [g.one('Sub', [pulled, back]), r]);
      const dw = g.one('ReduceSum', [g.one('Mul', [g.one('Mul', ['d_y', 'x']), r]), g.int64([0])], { keepdims: 0 });
      return [dx, dw];
    },
    fill: {},
  },
  {
    name: 'softmax, backward',
    program: backwardOf({ x: matrix }, ({ x }) => k.softmax(x)),
    onnx: (g) => {
      const dot = g.one('ReduceSum', [g.one('Mul', ['d_y', 'y']), g.int64([1])], { keepdims: 1 });
      return [g.one('Mul', ['y', g.one('Sub', ['d_y', dot])])];
    },
    fill: {},
  },
  {
    name: 'combine of 2 experts a token',
    program: forwardOf(
      { rows: k.f32([2 * ROWS, WIDTH]), gates: k.f32([ROWS, 2]), slots: k.i32([ROWS, 2]) },
      ({ rows, gates, slots }) => k.combine(rows, gates, slots),
    ),
    onnx: (g) => {
      const gathered = g.one('Gather', ['rows', 'slots'], { axis: 0 });
      const weighed = g.one('Mul', [gathered, g.one('Unsqueeze', ['gates', g.int64([2])])]);
      return [g.one('ReduceSum', [weighed, g.int64([1])], { keepdims: 0 })];
    },
    fill: { slots: (i) => (i * 2207) % (2 * ROWS) },
  },
  {
    name: 'dispatch gather',
    program: forwardOf({ x: matrix, index: k.i32([ROWS]) }, ({ x, index }) => k.gatherRows(x, index)),
    onnx: (g) => [g.one('Gather', ['x', 'index'], { axis: 0 })],
    fill: { index: scrambled },
  },
  {
    name: 'embedding gradient, V = 32 k',
    program: backwardOf({ table: k.weight([VOCABULARY, WIDTH]), ids: k.i32([ROWS]) }, ({ table, ids }) =>
      k.embedding(table, ids),
    ),
    onnx: (g) => {
      const zeros = g.one('Expand', [g.float32([0]), g.int64([VOCABULARY, WIDTH])]);
      const rows = g.one('Cast', [g.one('Unsqueeze', ['ids', g.int64([1])])], { to: onnxType.i64 });
      // No id comes twice here, so that nothing has to be added.
      return [g.one('ScatterND', [zeros, rows, 'd_y'])];
    },
    fill: { ids: (i) => (i * 7919) % VOCABULARY },
  },
];

/** Median milliseconds of the pair's graph. */
export function timePeer({ program, onnx, fill }: Pair): Promise<number> {
  return timeGraph(program.inputs.map(typed), program.outputs.map(typed), onnx, fill);
}
