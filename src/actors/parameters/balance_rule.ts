/**
 * The balance rule updates the biases that balance experts without a loss (arXiv 2408.15664 §3): the gradient of such a bias is the
 * load of its expert, and the bias of one with less than its share rises by a fixed step, of one with more it falls. The sum of all
 * stays what it is, so that nothing drifts.
 */
import { accumulate } from '../../kernels/ops/accumulate.ts';
import { div } from '../../kernels/ops/div.ts';
import { maximum } from '../../kernels/ops/maximum.ts';
import { mul } from '../../kernels/ops/mul.ts';
import { neg } from '../../kernels/ops/neg.ts';
import { reduceMean } from '../../kernels/ops/reduce_mean.ts';
import { reduceSum } from '../../kernels/ops/reduce_sum.ts';
import { scale } from '../../kernels/ops/scale.ts';
import { slice } from '../../kernels/ops/slice.ts';
import { sub } from '../../kernels/ops/sub.ts';
import { f32, state, trace } from '../../kernels/trace.ts';
import { once } from './optimizer_programs.ts';
import type { UpdateRule } from './update_rule.ts';

const hyperLength = 2;

/** Less than any load falls short. */
const nothing = 1e-20;

/** The rule whose steps are `rate`; the same object for the same rate. */
export function balanceRule(rate: number): UpdateRule {
  const known = rules.get(rate) ?? ruleOfRate(rate);
  rules.set(rate, known);
  return known;
}

const rules = new Map<number, UpdateRule>();

const ruleOfRate = (rate: number): UpdateRule => ({
  name: 'balance',
  states: [],
  isOfLoss: false,
  covers: 'parameter',
  hyperLength,
  program: (shape) => {
    const specs = { parameters: state(shape), gradient: f32(shape), hyper: f32([hyperLength]) };
    return once(`balance rule/${shape.join('x')}`, () =>
      trace('balance', specs, ({ parameters, gradient: load_E, hyper }) => {
        // In units of 1 / E: whole numbers, so that what has its share exactly is short of nothing.
        const short_E = sub(reduceSum(load_E, [0], true), scale(load_E, shape[0]));
        const size_E = maximum(maximum(short_E, neg(short_E)), slice(hyper, 0, 1, 2));
        const sign_E = div(short_E, size_E);
        const step_E = mul(sub(sign_E, reduceMean(sign_E, [0], true)), slice(hyper, 0, 0, 1));
        accumulate(parameters, step_E);
        return {};
      }),
    );
  },
  hyper: () => Float32Array.of(rate, nothing),
});
