/**
 * What the training of a router reads off its logits, in one pass over them, and without their softmax in memory: scores or
 * logits of the experts taken, the balance of each row (its scores, normalised, times the loads of the experts; arXiv
 * 2101.03961 eq. 4), and its z-loss (arXiv 2202.08906 eq. 5). The gradient is one pass, too. Shape suffixes: R rows,
 * E experts, K taken of a row, G groups of rows.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats } from '../check.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats, ints } from '../dtype.ts';
import { log } from '../elementary.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { sameDim, sameShape, showShape } from '../shape.ts';
import { checkColumns, columnAt } from './gather_columns.ts';
import { routerScoresGradient } from './router_scores_gradient.ts';
import {
  eachTaken,
  loadStart,
  readOf,
  STATISTICS,
  sumsOver,
  TINY,
  weightOf,
  type RouterScores,
} from './router_scores_parts.ts';
import { routerScoresPasses } from './router_scores_shader.ts';
import { scale } from './scale.ts';

export interface RouterScoresInputs {
  /** f32 [R, E]; R may be dynamic. */
  readonly logits: Value;
  /** i32 [R, K]: experts, −1 for none. */
  readonly taken: Value;
  /** f32 [R, 1]: 0 where a row is padding. */
  readonly live: Value;
  /** f32 [G, E]: what an expert's normalised score counts in each group of rows. */
  readonly load: Value;
  /** f32 [1]: what a squared log-sum-exp counts. */
  readonly zWeight: Value;
}

const op = defineOp<RouterScores>({
  name: 'router_scores',
  infer: ([x, taken, live, load, zWeight], { run }) => {
    checkColumns('router_scores', x, taken);
    requireFloats('router_scores', [live, load, zWeight]);
    const [rows, width] = x.shape;
    const most = typeof rows === 'number' ? rows : rows.max;
    const [groups] = load.shape;
    if (load.shape.length !== 2 || !sameDim(load.shape[1], width) || Number(groups) * run < most) {
      throw new ShapeError(
        'router_scores',
        `loads ${showShape(load.shape)} do not fit ${showShape(x.shape)} by ${run}`,
      );
    }
    if (!sameShape(live.shape, [rows, 1]) || !sameShape(zWeight.shape, [1])) {
      throw new ShapeError(
        'router_scores',
        `live ${showShape(live.shape)} or z ${showShape(zWeight.shape)} do not fit`,
      );
    }
    const column = { dtype: 'f32', shape: [rows, 1] } as const;
    const picked = { dtype: 'f32', shape: taken.shape } as const;
    return [picked, column, column, { dtype: 'f32', shape: [rows, STATISTICS] }];
  },
  reference: ([x, taken, live, load, zWeight], [picked, balances, zs, statistics], rule) => {
    const name = 'router_scores';
    const logits = floats(name, x.data);
    const loads = floats(name, load.data);
    const alive = floats(name, live.data);
    const [z] = floats(name, zWeight.data);
    const expert = ints(name, taken.data);
    const read = floats(name, picked.data);
    const balance_ = floats(name, balances.data);
    const z_ = floats(name, zs.data);
    const kept = floats(name, statistics.data);
    const [rows, width] = x.shape;
    const picks = taken.shape[1];
    for (const output of [read, balance_, z_, kept]) output.fill(0);
    for (let r = 0; r < rows; r++) {
      if (alive[r] === 0) continue;
      const row = logits.subarray(r * width, (r + 1) * width);
      const group = Math.floor(r / rule.run) * width;
      const max = row.reduce((most, logit) => numbers.larger(logit, most), -Infinity);
      const weight = (e: number): number => weightOf(numbers, rule, row[e], max);
      const total = laneSum(width, (e) => weightOf(numbers, { ...rule, score: 'softmax' }, row[e], max));
      const sum = numbers.add(rule.score === 'softmax' ? total : laneSum(width, weight), numbers.constant(TINY));
      const dot = laneSum(width, (e) => numbers.mul(weight(e), loads[group + e]));
      balance_[r] = numbers.div(dot, sum);
      const lse = numbers.add(max, log(numbers, total));
      z_[r] = numbers.mul(z, numbers.mul(lse, lse));
      kept.set([max, total, sum, balance_[r]], r * STATISTICS);
      for (let i = r * picks; i < (r + 1) * picks; i++) {
        const e = columnAt(name, expert[i], r, width);
        if (e >= 0) read[i] = readOf(numbers, rule, row[e], max, sum);
      }
    }
  },
  wasm: (kernel, [x, taken, live, load, zWeight], [picked, balances, zs, statistics], rule) => {
    const { fn, f } = kernel;
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const picks = Number(taken.type.shape[1]);
      const place = kernel.elementAt(row);
      const ofRow = fn.let(i32.mul(row, i32.const(4 * picks)));
      for (let k = 0; k < picks; k++) kernel.storeOne(picked, f.constant(0), ofRow, 4 * k);
      const keep = (values: readonly Parameters<typeof kernel.store>[1][]): void => {
        kernel.storeOne(balances, values[0], place);
        kernel.storeOne(zs, values[1], place);
        const at = fn.let(i32.mul(row, i32.const(4 * STATISTICS)));
        values.slice(2).forEach((value, i) => kernel.storeOne(statistics, value, at, 4 * i));
      };
      fn.if(
        i32.shl(kernel.integer(live, row), i32.const(1)),
        () => {
          const loadsAt = loadStart(kernel, row, rule, width);
          const logit = (column: typeof start, offset: number) => kernel.load(x, kernel.in(start, column), offset);
          const max = kernel.max(width, start, (at, offset) => kernel.load(x, at, offset));
          const [total, dot, scores = total] = sumsOver(
            kernel,
            width,
            rule.score === 'softmax' ? 2 : 3,
            (column, offset) => {
              const loaded = logit(column, offset);
              const exponential = weightOf(f, { ...rule, score: 'softmax' }, loaded, max);
              const weight = rule.score === 'softmax' ? exponential : weightOf(f, rule, loaded, max);
              const counted = f.mul(weight, kernel.load(load, kernel.in(loadsAt, column), offset));
              return rule.score === 'softmax' ? [exponential, counted] : [exponential, counted, weight];
            },
          );
          const sum = f.add(scores, f.constant(TINY));
          const balance = f.div(dot, sum);
          const lse = f.add(max, log(f, total));
          keep([balance, f.mul(kernel.splat(zWeight), f.mul(lse, lse)), max, total, sum, balance]);
          eachTaken(kernel, taken, width, row, start, (pick, at) =>
            kernel.storeOne(picked, readOf(f, rule, kernel.splat(x, at), max, sum), pick),
          );
        },
        () => keep(Array.from({ length: 2 + STATISTICS }, () => f.constant(0))),
      );
    });
  },
  wgsl: (lowering, inputs, outputs, rule) => routerScoresPasses(lowering, inputs, outputs, rule),
  gradient: ({ inputs: [x, taken, , load, zWeight], outputs, cotangents }, rule) => {
    const statistics = outputs[3];
    const [dPicked, dBalance, dZ] = [0, 1, 2].map((i) => cotangents[i] ?? scale(outputs[i], 0));
    const operands = { x, taken, load, zWeight, statistics, dPicked, dBalance, dZ };
    return [routerScoresGradient(operands, rule), null, null, null, null];
  },
});

/**
 * picked [R, K], 0 for expert −1; balance and z [R, 1]; all 0 where a row is padding, whatever its logits are. It is
 * differentiable by the logits. Row r is of group r ÷ run, rounded down. Throws `ShapeError` where the operands do not
 * fit, and when it runs into an expert outside of −1 … E − 1.
 */
export function routerScores(
  { logits, taken, live, load, zWeight }: RouterScoresInputs,
  rule: RouterScores,
): { readonly picked: Value; readonly balance: Value; readonly z: Value } {
  const [picked, balance, z] = op([logits, taken, live, load, zWeight], rule);
  return { picked, balance, z };
}

export type { RouterScores };
