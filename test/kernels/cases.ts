/**
 * Every differentiable op as a small program over R rows, for the tests that hold of all of them. `rows` is a dynamic
 * dimension where the op takes one, else a number: then the program is traced anew for every size.
 */
import * as k from '../../src/kernels/index.ts';
import type { Dim } from '../../src/kernels/index.ts';
import { beginsFill, dynamicRows, positive, staticRows, type Body, type Case, type Specs } from './case.ts';
import { mambaCases } from './mamba_cases.ts';
import { routerCases } from './router_cases.ts';

export type { Case };

const x16 = (rows: Dim): Specs => ({ x: k.f32([rows, 16]) });
const pair = (rows: Dim): Specs => ({ a: k.f32([rows, 16]), b: k.f32([rows, 16]) });
const withVector = (rows: Dim): Specs => ({ a: k.f32([rows, 16]), b: k.weight([16]) });
const heads =
  (kv: number, tokens: number) =>
  (rows: Dim): Specs => ({
    q: k.f32([rows, 4, tokens, 16]),
    k: k.f32([rows, kv, tokens, 16]),
    v: k.f32([rows, kv, tokens, 16]),
  });
const head =
  (vocabulary: number) =>
  (rows: Dim): Specs => ({
    x: k.f32([rows, 16]),
    w: k.weight([vocabulary, 16]),
    targets: k.i32([rows]),
  });
/** A student's head, and a wider one that is frozen. */
const twoHeads =
  (vocabulary: number) =>
  (rows: Dim): Specs => ({
    ...head(vocabulary)(rows),
    xT: k.state([Number(rows), 24]),
    wT: k.state([vocabulary, 24]),
  });
const distil =
  (temperature: number): Body =>
  ({ x, w, xT, wT, targets }) =>
    k.linearKl({ x, w }, { x: xT, w: wT }, { temperature, targets });
/** Values in a scrambled order, at least 1/16 apart inside any 64 neighbours. */
const apart = (i: number): number => ((i * 29) % 64) / 16 - 2;
const withBegins =
  (kv: number) =>
  (rows: Dim): Specs => ({ ...heads(kv, 6)(rows), begins: k.i32([rows, 6]) });
/** Three queries over five keys, with all that attention takes. */
const acrossKeys = (rows: Dim): Specs => ({
  q: k.f32([rows, 4, 3, 8]),
  k: k.f32([rows, 2, 5, 8]),
  v: k.f32([rows, 2, 5, 8]),
  bias: k.weight([4, 3, 5]),
  begins: k.i32([rows, 3]),
  ends: k.i32([rows, 3]),
});
const attend =
  (options: k.AttentionOptions): Body =>
  ({ q, k: keys, v, bias, begins, ends }) =>
    k.attention({ q, k: keys, v, bias, begins, ends }, options);
const causal = attend({ causal: true });
export const cases: readonly Case[] = [
  dynamicRows('add', pair, ({ a, b }) => k.add(a, b)),
  dynamicRows('add, a vector', withVector, ({ a, b }) => k.add(a, b)),
  dynamicRows('sub, a vector', withVector, ({ a, b }) => k.sub(a, b)),
  dynamicRows('mul', pair, ({ a, b }) => k.mul(a, b)),
  dynamicRows('mul, a vector', withVector, ({ a, b }) => k.mul(a, b)),
  dynamicRows('div', pair, ({ a, b }) => k.div(a, b), { b: positive }),
  dynamicRows('maximum', pair, ({ a, b }) => k.maximum(a, b), { a: apart, b: (i) => apart(i + 13) }),
  dynamicRows('neg', x16, ({ x }) => k.neg(x)),
  dynamicRows('scale', x16, ({ x }) => k.scale(x, 0.3)),
  dynamicRows('exp', x16, ({ x }) => k.exp(x)),
  dynamicRows('log', x16, ({ x }) => k.log(x), { x: positive }),
  dynamicRows('sqrt', x16, ({ x }) => k.sqrt(x), { x: positive }),
  dynamicRows('sigmoid', x16, ({ x }) => k.sigmoid(x)),
  dynamicRows('softplus', x16, ({ x }) => k.softplus(x)),
  dynamicRows('logSigmoid', x16, ({ x }) => k.logSigmoid(x)),
  dynamicRows('tanh', x16, ({ x }) => k.tanh(x)),
  dynamicRows('relu', x16, ({ x }) => k.relu(x)),
  dynamicRows('gelu', x16, ({ x }) => k.gelu(x)),
  dynamicRows('silu', x16, ({ x }) => k.silu(x)),
  dynamicRows('reduceSum, rows', x16, ({ x }) => k.reduceSum(x, [-1], true)),
  dynamicRows(
    'reduceSum, a width of 5',
    (r) => ({ x: k.f32([r, 5]) }),
    ({ x }) => k.reduceSum(x, [1]),
  ),
  dynamicRows(
    'reduceSum, a column',
    (r) => ({ x: k.f32([r, 1]) }),
    ({ x }) => k.reduceSum(x, [0], true),
  ),
  dynamicRows('reduceSum, columns', x16, ({ x }) => k.reduceSum(x, [0])),
  dynamicRows('reduceMean', x16, ({ x }) => k.reduceMean(x, [-1])),
  dynamicRows('reduceMax', x16, ({ x }) => k.reduceMax(x, [-1]), { x: apart }),
  dynamicRows('reshape', x16, ({ x }) => k.reshape(x, [x.type.shape[0], 4, 4])),
  dynamicRows(
    'transpose',
    (r) => ({ x: k.f32([r, 3, 4]) }),
    ({ x }) => k.transpose(x, [0, 2, 1]),
  ),
  staticRows(
    'transpose of heads',
    (r) => ({ x: k.f32([r, 5, 3, 8]) }),
    ({ x }) => k.transpose(x, [0, 2, 1, 3]),
  ),
  dynamicRows('slice', x16, ({ x }) => k.slice(x, -1, 3, 9)),
  dynamicRows('pad', x16, ({ x }) => k.pad(x, 1, 2, 1)),
  dynamicRows('concat', pair, ({ a, b }) => k.concat([a, b, a], 1)),
  dynamicRows(
    'broadcastTo',
    (r) => ({ x: k.f32([r, 1]) }),
    ({ x }) => k.broadcastTo(x, [x.type.shape[0], 6]),
  ),
  dynamicRows(
    'matmul',
    (r) => ({ x: k.f32([r, 16]), w: k.weight([8, 16]) }),
    ({ x, w }) => k.matmul(x, w, { transposeB: true, scale: 0.5 }),
  ),
  dynamicRows(
    'feed-forward',
    (r) => ({ x: k.f32([r, 64]), up: k.weight([128, 64]), down: k.weight([64, 128]) }),
    ({ x, up, down }) =>
      k.matmul(k.relu(k.matmul(x, up, { transposeB: true })), down, { transposeB: true, scale: 0.01 }),
  ),
  dynamicRows(
    'rmsNorm, 96 wide',
    (r) => ({ x: k.f32([r, 96]), w: k.weight([96]) }),
    ({ x, w }) => k.rmsNorm(x, w, 1e-6),
  ),
  dynamicRows(
    'gatherRows',
    (r) => ({ x: k.f32([9, 16]), index: k.i32([r]) }),
    ({ x, index }) => k.gatherRows(x, index),
    { index: (i) => ((i * 5) % 10) - 1 },
  ),
  dynamicRows(
    'segmentSum',
    (r) => ({ x: k.f32([r, 16]), index: k.i32([r]) }),
    ({ x, index }) => k.segmentSum(x, index, 9),
    { index: (i) => ((i * 5) % 10) - 1 },
  ),
  dynamicRows(
    'gatherColumns',
    (r) => ({ x: k.f32([r, 12]), columns: k.i32([r, 3]) }),
    ({ x, columns }) => k.gatherColumns(x, columns),
    { columns: (i) => ((i * 5) % 13) - 1 },
  ),
  dynamicRows(
    'scatterColumns, some twice',
    (r) => ({ x: k.f32([r, 3]), columns: k.i32([r, 3]) }),
    ({ x, columns }) => k.scatterColumns(x, columns, 8),
    { columns: (i) => ((i * i) % 9) - 1 },
  ),
  ...routerCases,
  dynamicRows(
    'embedding',
    (r) => ({ table: k.weight([11, 16]), ids: k.i32([r]) }),
    ({ table, ids }) => k.embedding(table, ids),
    { ids: (i) => (i * 3) % 11 },
  ),
  dynamicRows(
    'combine',
    (r) => ({ rows: k.f32([12, 16]), gates: k.f32([r, 2]), slots: k.i32([r, 2]) }),
    ({ rows, gates, slots }) => k.combine(rows, gates, slots),
    { slots: (i) => ((i * 7) % 13) - 1 },
  ),
  dynamicRows(
    'softmax, 7 wide',
    (r) => ({ x: k.f32([r, 7]) }),
    ({ x }) => k.softmax(x),
  ),
  dynamicRows('softmax', x16, ({ x }) => k.softmax(x)),
  dynamicRows(
    'softmax, 44 wide',
    (r) => ({ x: k.f32([r, 44]) }),
    ({ x }) => k.softmax(x),
  ),
  dynamicRows('rmsNorm', withVector, ({ a, b }) => k.rmsNorm(a, b, 1e-6)),
  dynamicRows(
    'layerNorm',
    (r) => ({ x: k.f32([r, 16]), w: k.weight([16]), b: k.weight([16]) }),
    ({ x, w, b }) => k.layerNorm(x, w, b, 1e-5),
  ),
  dynamicRows(
    'jitter',
    (r) => ({ x: k.f32([r, 16]), key: k.i32([5]) }),
    ({ x, key }) => k.jitter(x, key, 0.1),
    { key: (i) => i + 1 },
  ),
  ...mambaCases,
  staticRows(
    'rope',
    (r) => ({ x: k.f32([r, 2, 5, 8]) }),
    ({ x }) => k.rope(x, { theta: 100 }),
  ),
  staticRows(
    'rope, a part of the channels, given positions',
    (r) => ({ x: k.f32([r, 2, 5, 26]), positions: k.i32([r, 5]) }),
    ({ x, positions }) => k.rope(x, { theta: 100, share: 0.4, positions, most: 40 }),
    { positions: (i) => (i * 17) % 40 },
  ),
  dynamicRows(
    'rope, a scaling, no whole vectors',
    (r) => ({ x: k.f32([r, 2, 5, 10]) }),
    ({ x }) =>
      k.rope(x, {
        theta: 100,
        share: 0.4,
        scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32 },
      }),
  ),
  staticRows('attention', heads(4, 6), causal),
  staticRows('attention, shared keys', heads(2, 6), causal),
  staticRows('attention, samples', withBegins(4), causal, beginsFill),
  staticRows('attention, samples, shared keys', withBegins(2), causal, beginsFill),
  staticRows('attention, a window', heads(2, 6), attend({ causal: true, window: 3 })),
  staticRows('attention, other keys, a bias, begins and ends', acrossKeys, attend({ causal: false, scale: 0.5 }), {
    begins: (i) => i % 4,
    // Of every seventh query no key is left.
    ends: (i) => (i % 7 === 3 ? 2 : 5),
  }),
  staticRows('linearCrossEntropy', head(16), ({ x, w, targets }) => k.linearCrossEntropy(x, w, targets), {
    targets: (i) => (((i + 1) * 5) % 17) - 1,
  }),
  staticRows(
    'linearCrossEntropy, an odd vocabulary',
    head(11),
    ({ x, w, targets }) => k.linearCrossEntropy(x, w, targets),
    {
      targets: (i) => (((i + 1) * 5) % 12) - 1,
    },
  ),
  staticRows('linearKl', twoHeads(16), distil(1), { targets: (i) => (i % 5) - 1 }),
  staticRows('linearKl, an odd vocabulary, a temperature', twoHeads(11), distil(2.5), { targets: (i) => 1 - (i % 3) }),
];
