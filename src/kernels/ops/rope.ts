/**
 * Rotary position embedding, rotate-half pairing (papers.md §1.2): channel i < d/2 of token t turns with channel i + d/2
 * by the angle t · theta^(−2i/d). The gradient turns back. The tables are float64 sines and cosines rounded to fp32.
 */
import { isEmpty, requireFloats, requireRank, staticSize } from '../check.ts';
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
    const { cos, sin } = tables(tokens, width, theta, direction);
    for (let s = 0; s < batch * heads; s++) {
      for (let t = 0; t < tokens; t++) {
        const at = (s * tokens + t) * width;
        for (let i = 0; i < half; i++) {
          const c = cos[t * half + i];
          const n = sin[t * half + i];
          const [a, b] = [from[at + i], from[at + half + i]];
          to[at + i] = a * c - b * n;
          to[at + half + i] = a * n + b * c;
        }
      }
    }
  },
  gradient: ({ cotangents: [c] }, { theta, direction }) => [c && turn(c, theta, direction === 1 ? -1 : 1)],
  onnx: (graph, [x], { inputs: [{ shape }] }, { theta, direction }) => {
    if (!isStatic(shape) || isEmpty(shape)) return null;
    const [batch, , tokens, width] = shape;
    const { cos, sin } = tables(tokens, width, theta, direction);
    const positions = Array.from({ length: batch * tokens }, (_, i) => i % tokens);
    return [
      graph.one('RotaryEmbedding', [
        x,
        graph.float32(cos, [tokens, width / 2]),
        graph.float32(sin, [tokens, width / 2]),
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

function tables(tokens: number, width: number, theta: number, direction: 1 | -1) {
  const half = width / 2;
  const cos = new Float32Array(tokens * half);
  const sin = new Float32Array(tokens * half);
  for (let t = 0; t < tokens; t++) {
    for (let i = 0; i < half; i++) {
      const angle = t * theta ** ((-2 * i) / width);
      cos[t * half + i] = Math.cos(angle);
      sin[t * half + i] = direction * Math.sin(angle);
    }
  }
  return { cos, sin };
}
