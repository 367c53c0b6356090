/** The gradient of `routerScores`, element by element, in any arithmetic: the mathematics stand in `router_scores_gradient.ts`. */
import type { Arithmetic } from '../arithmetic.ts';
import { exp, log } from '../elementary.ts';
import { readOf, weightOf, type RouterScores } from './router_scores_parts.ts';

/** Numbers of a row that all its elements need. */
interface OfRow<T> {
  readonly max: T;
  readonly total: T;
  readonly sum: T;
  readonly balance: T;
  readonly dBalance: T;
  /** d(loss)/d(log-sum-exp). */
  readonly dLse: T;
  /** Σ dPicked · p, where picked are shares of a softmax; else 0. */
  readonly pull: T;
}

/** d(score)/d(logit) of a logistic score. */
const slopeOf = <T>(f: Arithmetic<T>, score: T): T => f.sub(score, f.mul(score, score));

export const hasPull = ({ score, reads }: RouterScores): boolean => score === 'softmax' && reads === 'scores';

/** d(z)/d(log-sum-exp) · dZ. */
export const dLseOf = <T>(f: Arithmetic<T>, zWeight: T, dZ: T, max: T, total: T): T =>
  f.mul(f.mul(f.mul(f.constant(2), zWeight), dZ), f.add(max, log(f, total)));

/** d(loss)/d(logit), but for what comes of the logit's own pick. */
export function denseOf<T>(f: Arithmetic<T>, rule: RouterScores, x: T, load: T, row: OfRow<T>): T {
  const { max, total, sum, balance, dBalance, dLse, pull } = row;
  const above = f.mul(dBalance, f.sub(load, balance));
  if (rule.score === 'softmax') {
    return f.mul(f.div(weightOf(f, rule, x, max), sum), f.add(above, f.sub(dLse, pull)));
  }
  const balanced = f.mul(f.div(slopeOf(f, weightOf(f, rule, x, max)), sum), above);
  return f.add(balanced, f.mul(f.div(exp(f, f.sub(x, max)), total), dLse));
}

/** d(picked)/d(its own logit), but for what the others share. */
export function pickSlope<T>(f: Arithmetic<T>, rule: RouterScores, x: T, max: T, sum: T): T {
  if (rule.reads === 'logits') return f.constant(1);
  const score = readOf(f, rule, x, max, sum);
  return rule.score === 'softmax' ? score : slopeOf(f, score);
}
