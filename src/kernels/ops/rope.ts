/**
 * Rotary position embedding, rotate-half pairing (RoFormer, arXiv 2104.09864): of the w channels that rotate, channel i < w/2 of
 * the token at position p turns with channel i + w/2 by the angle p · frequency i (`rope_frequencies.ts`), and both are multiplied
 * by the attention factor of a scaling. The channels behind the first w pass. The gradient turns back.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { isEmpty, requireFloats, requirePerToken, requireRank, staticSize } from '../check.ts';
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { isStatic } from '../shape.ts';
import { ropeFrequencies, type RopeScaling } from './rope_frequencies.ts';
import { ropePass } from './rope_shader.ts';
import { anglesOf, angleTable, type RopeAttributes } from './rope_table.ts';

export interface RopeOptions {
  readonly theta: number;
  /** Of a head's channels what rotates, rounded down: the first ⌊share · d⌋. Default 1. */
  readonly share?: number | undefined;
  /** How frequencies are changed for longer contexts. Default: they are not. */
  readonly scaling?: RopeScaling | undefined;
  /** Of each token, i32 [B, T] or, of fixed sizes, [B·T], 0 ≤ position < `most`. Default: 0 … T−1 in each sequence. */
  readonly positions?: Value | undefined;
  /** Positions that there are tables for; needed with `positions`. */
  readonly most?: number | undefined;
}

const op = defineOp<RopeAttributes>({
  name: 'rope',
  infer: ([x, positions]) => {
    requireFloats('rope', [x]);
    const [batch, , tokens] = x.shape;
    if (positions !== undefined) requirePerToken('rope', 'positions', positions, batch, tokens);
    return [x];
  },
  reference: ([x, positions], [y], { direction, most, ...rotation }) => {
    const from = floats('rope', x.data);
    const to = floats('rope', y.data);
    const [batch, heads, tokens, channels] = x.shape;
    const half = rotation.width / 2;
    const given = positions === undefined ? null : ints('rope', positions.data);
    const counted = given === null ? anglesOf(rotation, tokens) : null;
    to.set(from);
    for (let s = 0; s < batch; s++) {
      for (let t = 0; t < tokens; t++) {
        const { cos, sin } = counted ?? anglesOf(rotation, 1, positionAt(given ?? [], s * tokens + t, most));
        const row = counted === null ? 0 : t * half;
        for (let h = 0; h < heads; h++) {
          const at = ((s * heads + h) * tokens + t) * channels;
          for (let i = 0; i < half; i++) {
            const angle = { cos: cos[row + i], sin: direction * sin[row + i] };
            [to[at + i], to[at + half + i]] = turned(numbers, from[at + i], from[at + half + i], angle);
          }
        }
      }
    }
  },
  wasm: (kernel, [x, positions], [y], { direction, most, ...rotation }) => {
    const { fn, f } = kernel;
    const [batch, heads, tokens, channels] = x.type.shape;
    const half = rotation.width / 2;
    // onnxruntime fuses multiplication and addition; heads of such a width had it before there was code for them.
    if (positions === undefined && rotation.width === channels && half % 4 !== 0) return false;
    if (!isStatic([heads, tokens])) return false;
    const table = kernel.table(angleTable(rotation, most));
    const sines = most * half * 4;
    fn.loop(i32.const(0), fn.let(i32.mul(kernel.size(batch), i32.const(Number(heads)))), 1, (s) => {
      kernel.rows(tokens, Number(channels), (t, start) => {
        const row = kernel.in(start, i32.mul(s, i32.const(Number(tokens) * Number(channels) * 4)));
        let position = t;
        if (positions !== undefined) {
          const sequence = i32.divU(s, i32.const(Number(heads)));
          position = kernel.integer(positions, i32.add(i32.mul(sequence, i32.const(Number(tokens))), t));
          kernel.refuseIf(i32.geU(position, i32.const(most)));
        }
        const angle = kernel.fn.let(i32.mul(position, i32.const(half * 4)));
        elementsOf(kernel, half, i32.const(0), ({ load, store }, column, offset) => {
          const cos = load(table, kernel.in(angle, column), offset);
          const forward = load(table, kernel.in(angle, column), offset + sines);
          const sin = direction === 1 ? forward : f.negate(forward);
          const at = kernel.in(row, column);
          const second = offset + half * 4;
          const pair = turned(f, load(x, at, offset), load(x, at, second), { cos, sin });
          store(y, pair[0], at, offset);
          store(y, pair[1], at, second);
        });
        if (rotation.width === channels) return;
        const rest = kernel.in(row, i32.const(rotation.width * 4));
        elementsOf(kernel, Number(channels) - rotation.width, rest, ({ load, store }, at, offset) => {
          store(y, load(x, at, offset), at, offset);
        });
      });
    });
    return true;
  },
  wgsl: ropePass,
  gradient: ({ inputs: [, positions], cotangents: [c] }, attributes) => {
    if (c === null) return [];
    return [turn(c, positions, { ...attributes, direction: attributes.direction === 1 ? -1 : 1 }), null];
  },
  onnx: (graph, [x, positions], { inputs: [{ shape }] }, { direction, most: _, ...rotation }) => {
    if (positions !== undefined || !isStatic(shape) || isEmpty(shape)) return null;
    const [batch, , tokens, channels] = shape;
    const { cos, sin } = anglesOf(rotation, tokens);
    const rows = Array.from({ length: batch * tokens }, (_, i) => i % tokens);
    const half = rotation.width / 2;
    return [
      graph.one(
        'RotaryEmbedding',
        [
          x,
          graph.float32(cos, [tokens, half]),
          graph.float32(
            sin.map((x) => direction * x),
            [tokens, half],
          ),
          graph.int64(rows, [batch, tokens]),
        ],
        rotation.width === channels ? {} : { rotary_embedding_dim: rotation.width },
      ),
    ];
  },
});

/**
 * x [B, H, T, d] → the same shape; B may be dynamic. Throws `ShapeError` when no even number of channels rotates, a scaling is
 * unknown or has impossible numbers, positions do not fit or lack `most`, and when it runs into a position outside of the table.
 */
export function rope(x: Value, { theta, share = 1, scaling, positions, most }: RopeOptions): Value {
  requireRank('rope', 'x', x.type, 4);
  const tokens = staticSize('rope', 'the number of tokens', x.type.shape[2]);
  const channels = staticSize('rope', 'the head width', x.type.shape[3]);
  if (!(share > 0 && share <= 1)) throw new ShapeError('rope', `share is ${share}, needs to be above 0 and at most 1`);
  const width = Math.floor(channels * share);
  if (width === 0 || width % 2 !== 0) {
    throw new ShapeError('rope', `${width} of ${channels} channels rotate, needs to be an even number`);
  }
  if (positions !== undefined && !(Number.isInteger(most) && Number(most) > 0)) {
    throw new ShapeError('rope', `positions are given, and most is ${most}: give how many positions there are`);
  }
  // An unknown scaling is refused here, not on a device.
  ropeFrequencies(theta, width, scaling);
  const rows = positions === undefined ? tokens : Number(most);
  return turn(x, positions, { theta, width, scaling, most: rows, direction: 1 });
}

function turn(x: Value, positions: Value | undefined, attributes: RopeAttributes): Value {
  return op(positions === undefined ? [x] : [x, positions], attributes)[0];
}

/** Throws `ShapeError` outside of the table. */
function positionAt(positions: ArrayLike<number>, index: number, most: number): number {
  const position = positions[index];
  if (position >= 0 && position < most) return position;
  throw new ShapeError('rope', `token ${index} is at position ${position}, outside of 0 to ${most - 1}`);
}

interface Access {
  readonly load: (x: WasmOperand, at: I32, offset: number) => V128;
  readonly store: (x: WasmOperand, value: V128, at: I32, offset: number) => void;
}

/** Runs for the elements of a row of any width: four at a time, and those left over one at a time, in all lanes. */
function elementsOf(
  kernel: Kernel,
  width: number,
  start: I32,
  body: (access: Access, at: I32, offset: number) => void,
): void {
  const four: Access = { load: kernel.load.bind(kernel), store: kernel.store.bind(kernel) };
  const one: Access = { load: kernel.splat.bind(kernel), store: kernel.storeOne.bind(kernel) };
  const whole = width - (width % 4);
  kernel.across(whole, body.bind(null, four), start);
  for (let i = whole; i < width; i++) body(one, start, 4 * i);
}

/** A pair of channels after a turn. */
const turned = <T>(f: Arithmetic<T>, a: T, b: T, { cos, sin }: { cos: T; sin: T }): [T, T] => [
  f.sub(f.mul(a, cos), f.mul(b, sin)),
  f.add(f.mul(a, sin), f.mul(b, cos)),
];
