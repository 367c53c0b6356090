/**
 * Multiplicative noise on a router's input: y = x · (1 + ε(2u − 1)), u uniform in [0, 1) (arXiv 2101.03961 app. C). u is hashed
 * from what the element is, never from when it is computed, so the gradient makes the same mask again.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { requireFloats, requireRank } from '../check.ts';
import { f32x4, i32, i32x4 } from '../cpu/wasm/instructions.ts';
import { wordLanesOf, wordsOf } from '../cpu/wasm/lanes.ts';
import { floats } from '../dtype.ts';
import { DTypeError, ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { draw, drawWords, streamOf, streamOfWords, substream } from '../random.ts';
import { innerOf } from '../webgpu/lowering.ts';
import { arithmeticOf, Statements, wordsOf as wordsOfShader } from '../webgpu/wgsl/arithmetic.ts';
import { sameShape, showShape } from '../shape.ts';

/** x · (1 + ε · (draw / 2²³ − 1)); `draw` has 24 bits, so that it is exact in fp32. */
function noisy<T>(f: Arithmetic<T>, x: T, draw24: T, epsilon: number): T {
  const centred = f.sub(f.mul(draw24, f.constant(2 ** -23)), f.constant(1));
  return f.mul(x, f.add(f.constant(1), f.mul(f.constant(epsilon), centred)));
}

const op = defineOp<{ epsilon: number }>({
  name: 'jitter',
  infer: ([x, key]) => {
    requireFloats('jitter', [x]);
    requireRank('jitter', 'x', x, 2);
    if (key.dtype !== 'i32' && key.dtype !== 'u32') throw new DTypeError('jitter', 'i32 or u32', key.dtype);
    if (!sameShape(key.shape, [5])) throw new ShapeError('jitter', `key has shape ${showShape(key.shape)}, needs [5]`);
    return [x];
  },
  reference: ([x, key], [y], { epsilon }) => {
    const from = floats('jitter', x.data);
    const to = floats('jitter', y.data);
    const [rows, width] = x.shape;
    const stream = streamOf(key.data.subarray(0, 4));
    const firstToken = key.data[4];
    for (let r = 0; r < rows; r++) {
      const { a, b } = substream(stream, firstToken + r);
      for (let c = 0, i = r * width; c < width; c++, i++) {
        to[i] = noisy(numbers, from[i], numbers.constant(draw(a, b, c) >>> 8), epsilon);
      }
    }
  },
  wasm: (kernel, [x, key], [y], { epsilon }) => {
    const { fn } = kernel;
    const [word, lanes] = [wordsOf(fn), wordLanesOf(fn)];
    const words = [0, 1, 2, 3, 4].map((i) => fn.let(i32.load(key.address, 4 * i)));
    const stream = words.slice(0, 4);
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const [a, b] = streamOfWords(word, [...stream, word.add(words[4], row)]);
      kernel.across(width, (column, offset) => {
        const first = word.add(word.shiftRight(column, 2), word.constant(offset / 4));
        const counter = lanes.add(i32x4.splat(first), i32x4.const(0, 1, 2, 3));
        const drawn = drawWords(lanes, i32x4.splat(a), i32x4.splat(b), counter);
        const uniform = fn.let(f32x4.convertI32x4U(lanes.shiftRight(drawn, 8)));
        const at = kernel.in(start, column);
        kernel.store(y, noisy(kernel.f, kernel.load(x, at, offset), uniform, epsilon), at, offset);
      });
    });
  },
  wgsl: (lowering, [x, key], [y], { epsilon }) => {
    const width = innerOf(x.type.shape);
    const statements = new Statements();
    const words = wordsOfShader(statements);
    const [f, row] = [arithmeticOf(statements, 1), statements.let(`i / ${width}u`)];
    const key_ = [0, 1, 2, 3, 4].map((n) => statements.let(`bitcast<u32>(key[${n}])`));
    const [a, b] = streamOfWords(words, [...key_.slice(0, 4), words.add(key_[4], row)]);
    const drawn = drawWords(words, a, b, statements.let(`i % ${width}u`));
    const uniform = statements.let(`f32(${words.shiftRight(drawn, 8)})`);
    statements.add(`y[i] = ${noisy(f, statements.let('x[i]'), uniform, epsilon)};`);
    lowering.each({
      label: 'jitter',
      reads: { x, key },
      writes: { y },
      over: x.type.shape,
      body: statements.text,
    });
  },
  gradient: ({ inputs: [, key], cotangents: [c] }, { epsilon }) => [c && jitter(c, key, epsilon), null],
});

/**
 * x [R, D] times noise in [1 − ε, 1 + ε). `key` is i32 or u32 [5]: seed, purpose, layer, data step, global token of the
 * first row; row r is token first + r.
 */
export function jitter(x: Value, key: Value, epsilon: number): Value {
  return op([x, key], { epsilon })[0];
}
