/**
 * Attention of many kinds, and what it is by its definition: in float64, asking of each query and key whether the one sees the
 * other. Gradients are compared with the slope of a loss along some direction, found by a difference.
 */
import { expect } from 'vitest';
import { attention, dynamic, f32, i32, trace, vjp, type Data } from '../../src/kernels/index.ts';
import type { Vjp } from '../../src/kernels/vjp.ts';
import { bytesOf, forwardAndBackward, inputsOf, relativeError, type Run } from './kit.ts';

export interface AttentionKind {
  readonly batch?: number;
  /** The program takes more sequences, too. */
  readonly isLive?: boolean;
  readonly heads?: number;
  readonly keyHeads?: number;
  readonly queries: number;
  readonly keys?: number;
  readonly width?: number;
  readonly causal?: boolean;
  readonly window?: number;
  readonly scale?: number;
  readonly bias?: boolean;
  /** Of query t of sequence b. */
  readonly begins?: (b: number, t: number) => number;
  readonly ends?: (b: number, t: number) => number;
}

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
}

/** Samples of so many tokens one behind the other. */
const sample = (tokens: number) => ({
  begins: (b: number, t: number) => t - (t % (tokens + b)),
  ends: (b: number, t: number) => t - (t % (tokens + b)) + tokens + b,
});

export const attentionKinds: Readonly<Record<string, AttentionKind>> = {
  'causal, of odd sizes': { heads: 2, keyHeads: 1, queries: 37, width: 5, causal: true },
  'a window of odd sizes': { queries: 150, width: 6, causal: true, window: 11, batch: 2 },
  'a window over shared keys': { heads: 4, keyHeads: 2, queries: 272, causal: true, window: 37 },
  'a window of one key': { queries: 20, causal: true, window: 1 },
  'a window wider than the sequence': { queries: 20, causal: true, window: 100 },
  'all keys, more than 512': { queries: 520, keys: 560, width: 8 },
  'fewer queries than keys, a bias': { batch: 2, heads: 2, queries: 7, keys: 19, bias: true, scale: 1 },
  'more queries than keys, a bias over shared keys': {
    ...{ batch: 3, heads: 4, keyHeads: 2, queries: 144, keys: 48 },
    bias: true,
  },
  'causal with a bias': { batch: 2, heads: 2, queries: 160, causal: true, bias: true, scale: 1, width: 4 },
  'a window with a bias and samples': {
    ...{ batch: 2, heads: 2, queries: 48, causal: true, bias: true },
    ...{ window: 9, begins: sample(13).begins },
  },
  'samples that are seen whole': { batch: 2, heads: 2, keyHeads: 1, queries: 144, ...sample(24), bias: true },
  'keys of several lengths, one of them 0': { batch: 3, queries: 33, keys: 48, ends: (b) => [17, 0, 48][b] },
  'sequences that begin late': { batch: 2, queries: 32, causal: true, begins: (b) => 7 * b },
  'one query of a cache': { batch: 2, heads: 2, queries: 1, keys: 64, ends: (b) => 5 + 40 * b },
  'one query of a cache, shared keys and a bias': {
    ...{ batch: 2, heads: 4, keyHeads: 2, queries: 1, keys: 32, bias: true },
    ends: (b) => 32 - b,
  },
  'one query and a bias over 15 keys': { batch: 2, heads: 2, queries: 1, keys: 15, bias: true },
  'keys of lengths that fill no sixteen': { batch: 2, queries: 150, keys: 69, ends: (b, t) => (t % 60) + 9 * b },
  'a live number of sequences': {
    ...{ batch: 2, isLive: true, heads: 4, keyHeads: 2, queries: 5, keys: 7, bias: true },
    ends: (b, t) => 3 + b + (t % 3),
  },
  'a single key': { batch: 2, queries: 3, keys: 1, bias: true },
};

/** Pairs of the same attention in other words. */
export const saidTwice: Readonly<Record<string, readonly [AttentionKind, AttentionKind]>> = {
  'causal as begins and ends': [
    { batch: 2, heads: 2, keyHeads: 1, queries: 272, causal: true },
    { batch: 2, heads: 2, keyHeads: 1, queries: 272, begins: () => 0, ends: (_, t) => t + 1 },
  ],
  'a window as begins, heads of 128': [
    { queries: 656, width: 128, causal: true, window: 70 },
    { queries: 656, width: 128, causal: true, begins: (_, t) => Math.max(0, t - 69) },
  ],
  'a window as begins, heads of 16': [
    { heads: 2, keyHeads: 1, queries: 1296, causal: true, window: 20 },
    { heads: 2, keyHeads: 1, queries: 1296, causal: true, begins: (_, t) => Math.max(0, t - 19) },
  ],
  'a window wider than the sequence as none': [
    { queries: 48, causal: true, window: 48 },
    { queries: 48, causal: true },
  ],
  'all keys as begins and ends': [
    { batch: 2, queries: 32, keys: 80 },
    { batch: 2, queries: 32, keys: 80, begins: () => 0, ends: () => 80 },
  ],
  'causal as begins and ends, of odd sizes with a window': [
    { queries: 150, width: 6, causal: true, window: 150 },
    { queries: 150, width: 6, begins: () => 0, ends: (_, t) => t + 1 },
  ],
  'the scale of its width': [
    { queries: 16, keys: 32 },
    { queries: 16, keys: 32, scale: 0.25 },
  ],
};

const sizesOf = ({
  batch = 1,
  heads = 1,
  keyHeads = heads,
  queries,
  keys = queries,
  width = 16,
}: AttentionKind): Sizes => ({
  batch,
  heads,
  keyHeads,
  queries,
  keys,
  width,
});

/** The kind as a program, and operands for it. */
export function attentionOf(kind: AttentionKind): { readonly program: Vjp; readonly inputs: Record<string, Data> } {
  const { batch, heads, keyHeads, queries, keys, width } = sizesOf(kind);
  const { isLive = false, causal = false, window, scale, bias, begins, ends } = kind;
  const sequences = isLive ? dynamic('batch', batch + 2) : batch;
  const program = vjp(
    trace(
      'attention',
      {
        q: f32([sequences, heads, queries, width]),
        k: f32([sequences, keyHeads, keys, width]),
        v: f32([sequences, keyHeads, keys, width]),
        bias: f32([heads, queries, keys]),
        begins: i32([sequences, queries]),
        ends: i32([sequences, queries]),
      },
      ({ q, k, v, ...extras }) => {
        const given = {
          bias: bias === true ? extras.bias : undefined,
          begins: begins && extras.begins,
          ends: ends && extras.ends,
        };
        return { o: attention({ q, k, v, ...given }, { causal, window, scale }) };
      },
    ),
    bias === true ? {} : { constants: ['bias'] },
  );
  const filled = (place: AttentionKind['begins']) => (i: number) =>
    Math.min(keys, place?.(Math.floor(i / queries), i % queries) ?? 0);
  const inputs = inputsOf(program.forward, { begins: filled(begins), ends: filled(ends) });
  return { program, inputs: { ...inputsOf(program.backward), ...inputs } };
}

type Numbers = Readonly<Record<string, ArrayLike<number>>>;

/** By the definition. */
export function definedOutput(kind: AttentionKind, { q, k, v, bias }: Numbers): Float64Array {
  const { batch, heads, keyHeads, queries, keys, width } = sizesOf(kind);
  const { causal = false, window = Infinity, scale = width ** -0.5, begins, ends } = kind;
  const o = new Float64Array(batch * heads * queries * width);
  const sees = (b: number, t: number, j: number): boolean =>
    (!causal || (j <= t && j > t - window)) && j >= (begins?.(b, t) ?? 0) && j < (ends?.(b, t) ?? keys);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const keyRow = (b * keyHeads + Math.floor((h * keyHeads) / heads)) * keys;
      for (let t = 0; t < queries; t++) {
        const row = ((b * heads + h) * queries + t) * width;
        const seen = Array.from({ length: keys }, (_, j) => j).filter((j) => sees(b, t, j));
        const weights = seen.map((j) => {
          let score = 0;
          for (let i = 0; i < width; i++) score += q[row + i] * k[(keyRow + j) * width + i];
          return Math.exp(scale * score + (kind.bias === true ? bias[(h * queries + t) * keys + j] : 0));
        });
        const total = weights.reduce((sum, x) => sum + x, 0);
        seen.forEach((j, n) => {
          for (let i = 0; i < width; i++) o[row + i] += (weights[n] / total) * v[(keyRow + j) * width + i];
        });
      }
    }
  }
  return o;
}

/** The largest error of o and of slopes, relative to the largest element, the gradient's length, or 1. */
export async function errorOf(run: Run, kind: AttentionKind): Promise<number> {
  const { program, inputs } = attentionOf(kind);
  const actual = await forwardAndBackward(run, program, inputs, { batch: kind.batch ?? 1 });
  const errors = [relativeError(actual.o, Float32Array.from(definedOutput(kind, inputs)))];
  const loss = (changed: Numbers): number =>
    definedOutput(kind, changed).reduce((sum, x, i) => sum + x * inputs.d_o[i], 0);
  for (const { name: output } of program.backward.outputs) {
    const name = output.slice('d_'.length);
    const gradient = actual[output];
    const direction = Array.from(gradient, (_, i) => ((i * 37) % 101) / 50 - 1);
    const at = (step: number): number =>
      loss({ ...inputs, [name]: Array.from(inputs[name], (x, i) => x + step * direction[i]) });
    const step = 1e-5;
    const found = (at(step) - at(-step)) / (2 * step);
    const expected = direction.reduce((sum, x, i) => sum + x * gradient[i], 0);
    errors.push(Math.abs(found - expected) / Math.max(1, Math.hypot(...gradient)));
  }
  return Math.max(...errors);
}

/** Expects equal bits of two kinds that are the same attention, forward and gradient. */
export async function expectSameAttention(run: Run, one: AttentionKind, other: AttentionKind): Promise<void> {
  const [a, b] = [attentionOf(one), attentionOf(other)];
  const inputs = { ...a.inputs, ...b.inputs };
  const actual = await forwardAndBackward(run, a.program, inputs, {});
  const expected = await forwardAndBackward(run, b.program, inputs, {});
  for (const name of ['o', 'd_q', 'd_k', 'd_v'])
    expect(bytesOf(actual[name]).equals(bytesOf(expected[name])), name).toBe(true);
}
