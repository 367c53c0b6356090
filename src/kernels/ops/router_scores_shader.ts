/**
 * `routerScores` and its gradient on the WebGPU device: a pass over rows for what is dense, and passes over picks. Shape
 * suffixes as in `router_scores.ts`.
 */
import type { Typed } from '../type.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { arithmeticOf, literal, Statements } from '../webgpu/wgsl/arithmetic.ts';
import { denseOf, dLseOf, hasPull, pickSlope } from './router_scores_formulas.ts';
import { readOf, STATISTICS, TINY, type RouterScores } from './router_scores_parts.ts';

/** The statistic number `i` of row `row`. */
const kept = (i: number, row = 'row'): string => `statistics[${row} * ${STATISTICS}u + ${i}u]`;

export function routerScoresPasses(
  lowering: Lowering,
  [x, taken, alive, load, z_weight]: readonly Typed[],
  [picked, balances, zs, statistics]: readonly Typed[],
  rule: RouterScores,
): void {
  const { shape } = x.type;
  const width = innerOf(shape);
  const isSoftmax = rule.score === 'softmax';
  lowering.rows({
    label: 'router_scores',
    reads: { x, alive, load, z_weight },
    writes: { balances, zs, statistics },
    over: shape.slice(0, 1),
    width,
    body: (row) => `let at = row * ${width}u;
let loads_at = row / ${rule.run}u * ${width}u;
var largest = x[at];
${row.each('c', 'largest = max(largest, x[at + c]);')}
let top = ${row.max('largest')};
var exponentials = 0f;
var weights = 0f;
var counted = 0f;
${row.each(
  'c',
  `let e = exp(x[at + c] - top);
  exponentials += e;
  let weight = ${isSoftmax ? 'e' : '1f / (1f + exp(-x[at + c]))'};
  weights += weight;
  counted += weight * load[loads_at + c];`,
)}
let total = ${row.sum('exponentials')};
let sum = ${isSoftmax ? 'total' : row.sum('weights')} + ${literal(TINY)};
let balance = ${row.sum('counted')} / sum;
let lse = top + log(total);
${row.once(`let is_live = alive[row] != 0f;
balances[row] = select(0f, balance, is_live);
zs[row] = select(0f, z_weight[0] * lse * lse, is_live);
${['top', 'total', 'sum', 'balance'].map((name, i) => `${kept(i)} = select(0f, ${name}, is_live);`).join('\n')}`)}`,
  });
  const picks = innerOf(taken.type.shape);
  const statements = new Statements();
  const f = arithmeticOf(statements, 1);
  const read = readOf(f, rule, statements.let(`x[row * ${width}u + u32(e)]`), kept(0), kept(2));
  lowering.each({
    label: 'router_scores, picks',
    reads: { x, taken, statistics },
    writes: { picked },
    over: taken.type.shape,
    canRefuse: true,
    body: `let row = i / ${picks}u;
let e = taken[i];
picked[i] = 0f;
if (${kept(2)} == 0f) { return; }
if (e < -1 || e >= ${width}) { refuse(1u); return; }
if (e < 0) { return; }
${statements.text}
picked[i] = ${read};`,
  });
}

export function routerScoresGradientPasses(
  lowering: Lowering,
  [x, taken, load, z_weight, statistics, d_picked, d_balance, d_z]: readonly Typed[],
  dx: Typed,
  rule: RouterScores,
): void {
  const { shape } = x.type;
  const width = innerOf(shape);
  const picks = innerOf(taken.type.shape);
  const rows = shape.slice(0, 1);
  const pull = lowering.scratch('f32', rows);
  const each = (body: string): string => `for (var i = row * ${picks}u; i < (row + 1u) * ${picks}u; i++) {
  let e = taken[i];
  if (e < 0 || e >= ${width}) { continue; }
  let at = row * ${width}u + u32(e);
  ${body}
}`;
  if (hasPull(rule)) {
    const statements = new Statements();
    const read = readOf(arithmeticOf(statements, 1), rule, statements.let('x[at]'), kept(0), kept(2));
    lowering.each({
      label: 'router_scores_gradient, pull',
      reads: { x, taken, statistics, d_picked },
      writes: { pull },
      over: rows,
      body: rowText(`var sum = 0f;\n${each(`${statements.text}\nsum += d_picked[i] * ${read};`)}\npull[row] = sum;`),
    });
  }
  const dense = new Statements();
  const f = arithmeticOf(dense, 1);
  const [max, total, sum, balance] = [0, 1, 2, 3].map((i) => dense.let(kept(i)));
  const ofRow = {
    ...{ max, total, sum, balance },
    dBalance: dense.let('d_balance[row]'),
    dLse: dLseOf(f, dense.let('z_weight[0]'), dense.let('d_z[row]'), max, total),
    pull: hasPull(rule) ? dense.let('pull[row]') : '0f',
  };
  const loaded = dense.let(`load[row / ${rule.run}u * ${width}u + i % ${width}u]`);
  const made = denseOf(f, rule, dense.let('x[i]'), loaded, ofRow);
  lowering.each({
    label: 'router_scores_gradient',
    reads: { x, load, z_weight, statistics, d_balance, d_z, ...(hasPull(rule) ? { pull } : {}) },
    writes: { dx },
    over: shape,
    body: `let row = i / ${width}u;
if (${kept(2)} == 0f) { dx[i] = 0f; return; }
${dense.text}
dx[i] = ${made};`,
  });
  const own = new Statements();
  const slope = pickSlope(arithmeticOf(own, 1), rule, own.let('x[at]'), kept(0), kept(2));
  lowering.each({
    label: 'router_scores_gradient, picks',
    reads: { x, taken, statistics, d_picked },
    writes: { dx },
    over: rows,
    body: rowText(`if (${kept(2)} == 0f) { return; }\n${each(`${own.text}\ndx[at] += d_picked[i] * ${slope};`)}`),
  });
}

/** The code of one row, which calls itself by another name than the element that it is. */
const rowText = (body: string): string => `let row = i;\n{\n${body}\n}`;
