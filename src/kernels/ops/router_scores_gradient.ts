/**
 * The gradient of `routerScores` by the logits, in one pass. With p the scores, S the sum of weights and B the balance of a
 * row, of a softmax: dx = p · (dB · (load − B) + dLse − Σ dPicked · p) + p · dPicked where taken; logistic scores s have
 * s (1 − s) ÷ S for the first p and s (1 − s) for the last. Shape suffixes as in `router_scores.ts`.
 */
import { numbers } from '../arithmetic.ts';
import { i32 } from '../cpu/wasm/instructions.ts';
import { floats, ints } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { columnAt } from './gather_columns.ts';
import { denseOf, dLseOf, hasPull, pickSlope } from './router_scores_formulas.ts';
import { eachTaken, loadStart, readOf, STATISTICS, type RouterScores } from './router_scores_parts.ts';
import { routerScoresGradientPasses } from './router_scores_shader.ts';

interface Operands {
  readonly x: Value;
  readonly taken: Value;
  readonly load: Value;
  readonly zWeight: Value;
  readonly statistics: Value;
  readonly dPicked: Value;
  readonly dBalance: Value;
  readonly dZ: Value;
}

const op = defineOp<RouterScores>({
  name: 'router_scores_gradient',
  infer: ([x]) => [x],
  reference: ([x, taken, load, zWeight, statistics, dPicked, dBalance, dZ], [dx], rule) => {
    const name = 'router_scores_gradient';
    const [logits, loads, [z], kept] = [x, load, zWeight, statistics].map(({ data }) => floats(name, data));
    const [dPick, dBal, dz, to] = [dPicked, dBalance, dZ, dx].map(({ data }) => floats(name, data));
    const expert = ints(name, taken.data);
    const [rows, width] = x.shape;
    const picks = taken.shape[1];
    to.fill(0);
    for (let r = 0; r < rows; r++) {
      const [max, total, sum, balance] = kept.subarray(r * STATISTICS, (r + 1) * STATISTICS);
      if (sum === 0) continue;
      const start = r * width;
      const group = Math.floor(r / rule.run) * width;
      const taken_ = [...expert.subarray(r * picks, (r + 1) * picks).entries()]
        .map(([k, e]) => ({ at: start + columnAt(name, e, r, width), d: dPick[r * picks + k] }))
        .filter(({ at }) => at >= start);
      let pull = 0;
      if (hasPull(rule)) {
        for (const { at, d } of taken_) {
          pull = numbers.add(pull, numbers.mul(d, readOf(numbers, rule, logits[at], max, sum)));
        }
      }
      const ofRow = { max, total, sum, balance, dBalance: dBal[r], dLse: dLseOf(numbers, z, dz[r], max, total), pull };
      for (let e = 0; e < width; e++)
        to[start + e] = denseOf(numbers, rule, logits[start + e], loads[group + e], ofRow);
      for (const { at, d } of taken_) {
        to[at] = numbers.add(to[at], numbers.mul(d, pickSlope(numbers, rule, logits[at], max, sum)));
      }
    }
  },
  wasm: (kernel, [x, taken, load, zWeight, statistics, dPicked, dBalance, dZ], [dx], rule) => {
    const { fn, f } = kernel;
    return kernel.overRows(x.type.shape, (width, start, row) => {
      const at = fn.let(i32.mul(row, i32.const(4 * STATISTICS)));
      const place = kernel.elementAt(row);
      const [max, total, sum, balance] = [0, 1, 2, 3].map((i) => kernel.splat(statistics, at, 4 * i));
      fn.if(
        kernel.integer(statistics, fn.let(i32.add(i32.mul(row, i32.const(STATISTICS)), i32.const(2)))),
        () => {
          const pull = fn.let(f.constant(0), 'pull');
          if (hasPull(rule)) {
            eachTaken(kernel, taken, width, row, start, (pick, logit) => {
              const part = f.mul(kernel.splat(dPicked, pick), readOf(f, rule, kernel.splat(x, logit), max, sum));
              fn.set(pull, f.add(pull, part));
            });
          }
          const dLse = dLseOf(f, kernel.splat(zWeight), kernel.splat(dZ, place), max, total);
          const ofRow = { max, total, sum, balance, dBalance: kernel.splat(dBalance, place), dLse, pull };
          const loadsAt = loadStart(kernel, row, rule, width);
          kernel.across(width, (column, offset) => {
            const to = kernel.in(start, column);
            const loaded = kernel.load(load, kernel.in(loadsAt, column), offset);
            kernel.store(dx, denseOf(f, rule, kernel.load(x, to, offset), loaded, ofRow), to, offset);
          });
          eachTaken(kernel, taken, width, row, start, (pick, logit) => {
            const slope = pickSlope(f, rule, kernel.splat(x, logit), max, sum);
            const part = f.mul(kernel.splat(dPicked, pick), slope);
            kernel.storeOne(dx, f.add(kernel.splat(dx, logit), part), logit);
          });
        },
        () => kernel.across(width, (to, offset) => kernel.store(dx, f.constant(0), to, offset), start),
      );
    });
  },
  wgsl: (lowering, inputs, [dx], rule) => routerScoresGradientPasses(lowering, inputs, dx, rule),
});

/** dx [R, E]. Throws as `routerScores`. */
export function routerScoresGradient(operands: Operands, rule: RouterScores): Value {
  const { x, taken, load, zWeight, statistics, dPicked, dBalance, dZ } = operands;
  return op([x, taken, load, zWeight, statistics, dPicked, dBalance, dZ], rule)[0];
}
