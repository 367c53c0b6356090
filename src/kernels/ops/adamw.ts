/**
 * One AdamW update of a flat arena of parameters, in place, in fp32. What depends on the step (bias corrections, clip
 * scale, learning rate) comes in as numbers, so that one program serves every step.
 */
import { requireFloats } from '../check.ts';
import { adamwInArena, type AdamwNumbers } from '../cpu/wasm_adamw.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { sameShape, showShape } from '../shape.ts';

const op = defineOp<{ decay: boolean }>({
  name: 'adamw',
  writes: [0, 1, 2],
  infer: ([parameters, ...others]) => {
    requireFloats('adamw', [parameters, ...others]);
    const hyper = others[3];
    if (!sameShape(hyper.shape, [8])) throw new ShapeError('adamw', `hyper is ${showShape(hyper.shape)}, needs [8]`);
    for (const { shape } of others.slice(0, 3)) {
      if (!sameShape(shape, parameters.shape)) {
        throw new ShapeError('adamw', `${showShape(shape)} does not fit parameters ${showShape(parameters.shape)}`);
      }
    }
    return [];
  },
  reference: ([parameters, moment1, moment2, gradient, hyper], _outputs, { decay }) => {
    const p_ = floats('adamw', parameters.data);
    const m_ = floats('adamw', moment1.data);
    const v_ = floats('adamw', moment2.data);
    const g_ = floats('adamw', gradient.data);
    const { fround, sqrt } = Math;
    const [clip, beta1, rest1, beta2, rest2, scale1, scale2, epsilon, rate, wd] = numbersOf(hyper, decay);
    for (let i = 0; i < p_.length; i++) {
      const p = p_[i];
      const g = fround(g_[i] * clip);
      const m = fround(fround(beta1 * m_[i]) + fround(rest1 * g));
      const v = fround(fround(beta2 * v_[i]) + fround(rest2 * fround(g * g)));
      m_[i] = m;
      v_[i] = v;
      const root = fround(fround(sqrt(fround(v * scale2))) + epsilon);
      const step = fround(fround(fround(m * scale1) / root) + fround(wd * p));
      p_[i] = fround(p - fround(rate * step));
    }
  },
  inArena: ([parameters, moment1, moment2, gradient, hyper], _outputs, { decay }) => {
    const [p, m, v, g] = [parameters, moment1, moment2, gradient].map((operand) => floats('adamw', operand.data));
    return adamwInArena(p, m, v, g, numbersOf(hyper, decay));
  },
});

/** The numbers of one update, rounded to fp32. */
function numbersOf(hyper: Operand, decay: boolean): AdamwNumbers {
  const [lr, beta1, beta2, epsilon, weightDecay, correction1, correction2, clip] = floats('adamw', hyper.data);
  const { fround } = Math;
  const [rest1, rest2] = [fround(1 - beta1), fround(1 - beta2)];
  const [scale1, scale2] = [fround(1 / correction1), fround(1 / correction2)];
  return [clip, beta1, rest1, beta2, rest2, scale1, scale2, epsilon, lr, decay ? weightDecay : 0];
}

/**
 * Updates `parameters`, `moment1`, `moment2` [N], all declared as state, by `gradient` [N]. `hyper` f32 [8]: lr, beta1,
 * beta2, eps, weight_decay, bias_correction1 = 1 − beta1ᵗ, bias_correction2 = 1 − beta2ᵗ, clip_scale. Without `decay`
 * the weight decay is taken as 0.
 *
 * Each operation is rounded to fp32, in this order: g′ = g·clip; m = β₁m + (1−β₁)g′; v = β₂v + (1−β₂)(g′·g′);
 * p −= lr·((m·(1/bc₁)) / (√(v·(1/bc₂)) + eps) + wd·p). Throws `ShapeError` when the shapes differ.
 */
export function adamw(
  parameters: Value,
  moment1: Value,
  moment2: Value,
  gradient: Value,
  hyper: Value,
  { decay = true }: { readonly decay?: boolean } = {},
): void {
  op([parameters, moment1, moment2, gradient, hyper], { decay });
}
