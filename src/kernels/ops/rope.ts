/**
 * Rotary position embedding, rotate-half pairing (RoFormer, arXiv 2104.09864): channel i < d/2 of token t turns with channel i + d/2
 * by the angle t · theta^(−2i/d). The gradient turns back. The tables are float64 sines and cosines rounded to fp32.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { isEmpty, requireFloats, requireRank, staticSize } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import type { Table } from '../table.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { isStatic } from '../shape.ts';

interface Attributes {
  readonly theta: number;
  /** 1 turns forward, −1 back. */
  readonly direction: 1 | -1;
}

const op = defineOp<Attributes>({
  name: 'rope',
  infer: ([x]) => {
    requireFloats('rope', [x]);
    requireRank('rope', 'x', x, 4);
    staticSize('rope', 'the number of tokens', x.shape[2]);
    const width = staticSize('rope', 'the head width', x.shape[3]);
    if (width % 2 !== 0) throw new ShapeError('rope', `the head width is ${width}, needs to be even`);
    return [x];
  },
  reference: ([x], [y], { theta, direction }) => {
    const from = floats('rope', x.data);
    const to = floats('rope', y.data);
    const [batch, heads, tokens, width] = x.shape;
    const half = width / 2;
    const { cos, sin } = tables(tokens, width, theta);
    for (let s = 0; s < batch * heads; s++) {
      for (let t = 0; t < tokens; t++) {
        const at = (s * tokens + t) * width;
        for (let i = 0; i < half; i++) {
          const angle = { cos: cos[t * half + i], sin: direction * sin[t * half + i] };
          [to[at + i], to[at + half + i]] = turned(numbers, from[at + i], from[at + half + i], angle);
        }
      }
    }
  },
  wasm: (kernel, [x], [y], { theta, direction }) => {
    const { fn, f } = kernel;
    const [batch, heads, tokens, width] = x.type.shape;
    const half = Number(width) / 2;
    if (half % 4 !== 0 || !isStatic([heads, tokens])) return false;
    const table = kernel.table(angles(Number(tokens), Number(width), theta));
    const sines = Number(tokens) * half * 4;
    fn.loop(i32.const(0), fn.let(i32.mul(kernel.size(batch), i32.const(Number(heads)))), 1, (s) => {
      kernel.rows(tokens, Number(width), (t, start) => {
        const row = kernel.in(start, i32.mul(s, i32.const(Number(tokens) * Number(width) * 4)));
        const angle = kernel.fn.let(i32.mul(t, i32.const(half * 4)));
        kernel.across(half, (column, offset) => {
          const cos = kernel.load(table, kernel.in(angle, column), offset);
          const forward = kernel.load(table, kernel.in(angle, column), offset + sines);
          const sin = direction === 1 ? forward : f.negate(forward);
          const at = kernel.in(row, column);
          const second = offset + half * 4;
          const pair = turned(f, kernel.load(x, at, offset), kernel.load(x, at, second), { cos, sin });
          kernel.store(y, pair[0], at, offset);
          kernel.store(y, pair[1], at, second);
        });
      });
    });
    return true;
  },
  wgsl: (lowering, [x], [y], { theta, direction }) => {
    const { shape } = x.type;
    const [tokens, width] = shape.slice(2).map(Number);
    const half = width / 2;
    const table = lowering.table(angles(tokens, width, theta));
    lowering.each({
      label: 'rope',
      reads: { x, table },
      writes: { y },
      over: [...shape.slice(0, 3), half],
      body: `let pair = i % ${half}u;
let row = i / ${half}u;
let angle = row % ${tokens}u * ${half}u + pair;
let at = row * ${width}u + pair;
let cosine = table[angle];
let sine = ${direction === 1 ? '' : '-'}table[angle + ${tokens * half}u];
let first = x[at];
let second = x[at + ${half}u];
y[at] = first * cosine - second * sine;
y[at + ${half}u] = first * sine + second * cosine;`,
    });
  },
  gradient: ({ cotangents: [c] }, { theta, direction }) => [c && turn(c, theta, direction === 1 ? -1 : 1)],
  onnx: (graph, [x], { inputs: [{ shape }] }, { theta, direction }) => {
    if (!isStatic(shape) || isEmpty(shape)) return null;
    const [batch, , tokens, width] = shape;
    const { cos, sin } = tables(tokens, width, theta);
    const positions = Array.from({ length: batch * tokens }, (_, i) => i % tokens);
    return [
      graph.one('RotaryEmbedding', [
        x,
        graph.float32(cos, [tokens, width / 2]),
        graph.float32(
          sin.map((x) => direction * x),
          [tokens, width / 2],
        ),
        graph.int64(positions, [batch, tokens]),
      ]),
    ];
  },
});

/** x [B, H, T, d], token t at position t → the same shape. Throws `ShapeError` when d is odd. */
export function rope(x: Value, theta: number): Value {
  return turn(x, theta, 1);
}

function turn(x: Value, theta: number, direction: 1 | -1): Value {
  return op([x], { theta, direction })[0];
}

/** A pair of channels after a turn. */
const turned = <T>(f: Arithmetic<T>, a: T, b: T, { cos, sin }: { cos: T; sin: T }): [T, T] => [
  f.sub(f.mul(a, cos), f.mul(b, sin)),
  f.add(f.mul(a, sin), f.mul(b, cos)),
];

/** The cosines of all angles, then their sines. */
function angles(tokens: number, width: number, theta: number): Table {
  return {
    name: `rope, theta ${theta}, ${tokens} tokens of ${width}`,
    length: tokens * width,
    make: () => {
      const { cos, sin } = tables(tokens, width, theta);
      const all = new Float32Array(tokens * width);
      all.set(cos);
      all.set(sin, cos.length);
      return all;
    },
  };
}

/** cos and sin of t · theta^(−2i/d), each [tokens, width / 2]. */
function tables(tokens: number, width: number, theta: number) {
  const half = width / 2;
  const angle = (at: number): number => Math.floor(at / half) * theta ** ((-2 * (at % half)) / width);
  const table = (fn: (x: number) => number) => Float32Array.from({ length: tokens * half }, (_, at) => fn(angle(at)));
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
