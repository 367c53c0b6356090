/**
 * One AdamW update of a flat arena of parameters, in place, in fp32. What depends on the step (bias corrections, clip
 * scale, learning rate) comes in as numbers, so that one program serves every step.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { requireFloats } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { maxElements, sameShape, showShape } from '../shape.ts';
import { arithmeticOf, Statements } from '../webgpu/wgsl/arithmetic.ts';

const op = defineOp<{ decay: boolean }>({
  name: 'adamw',
  writes: [0, 1, 2],
  infer: ([parameters, ...others]) => {
    requireFloats('adamw', [parameters, ...others]);
    const hyper = others[others.length - 1];
    if (!sameShape(hyper.shape, [8])) throw new ShapeError('adamw', `hyper is ${showShape(hyper.shape)}, needs [8]`);
    for (const { shape } of others.slice(0, -1)) {
      if (!sameShape(shape, parameters.shape)) {
        throw new ShapeError('adamw', `${showShape(shape)} does not fit parameters ${showShape(parameters.shape)}`);
      }
    }
    return [];
  },
  reference: (inputs, _outputs, { decay }) => {
    const { p, m, v, g, hyper } = named(inputs.map(({ data }) => floats('adamw', data)));
    const update = updateOf(numbers, [...hyper], decay);
    for (let i = 0; i < p.length; i++) [p[i], m[i], v[i]] = update(p[i], m[i], v[i], g?.[i] ?? 0);
  },
  wasm: (kernel, inputs, _outputs, { decay }) => {
    const { p, m, v, g, hyper } = named(inputs);
    if (!kernel.takes(p.type.shape)) return false;
    const settings = Array.from({ length: 8 }, (_, i) => kernel.splat(hyper, undefined, 4 * i));
    const update = updateOf(kernel.f, settings, decay);
    kernel.each(p.type.shape, (at, offset) => {
      const [parameter, moment1, moment2] = [p, m, v].map((x) => kernel.load(x, at, offset));
      const gradient = g === undefined ? kernel.f.constant(0) : kernel.load(g, at, offset);
      const updated = update(parameter, moment1, moment2, gradient);
      [p, m, v].forEach((x, i) => kernel.store(x, updated[i], at, offset));
    });
    return true;
  },
  wgsl: (lowering, inputs, _outputs, { decay }) => {
    const { p, m, v, g, hyper } = named(inputs);
    const lanes = maxElements(p.type.shape) % 4 === 0 ? 4 : 1;
    const statements = new Statements();
    const f = arithmeticOf(statements, lanes);
    const settings = Array.from({ length: 8 }, (_, i) =>
      statements.let(lanes === 4 ? `vec4<f32>(hyper[${i}])` : `hyper[${i}]`),
    );
    const update = updateOf(f, settings, decay);
    const [parameter, moment1, moment2] = ['p', 'm', 'v'].map((name) => statements.let(`${name}[i]`));
    const gradient = g === undefined ? f.constant(0) : statements.let('g[i]');
    update(parameter, moment1, moment2, gradient).forEach((x, i) => statements.add(`${['p', 'm', 'v'][i]}[i] = ${x};`));
    const wide = lanes === 4 ? 'vec4<f32>' : 'f32';
    lowering.each({
      label: 'adamw',
      reads: { ...(g === undefined ? {} : { g }), hyper },
      writes: { p, m, v },
      elements: { g: wide, p: wide, m: wide, v: wide },
      over: [maxElements(p.type.shape) / lanes],
      body: statements.text,
    });
  },
});

/** The operands by name; `g` is undefined where there is no gradient. */
function named<T>(inputs: readonly T[]) {
  const [p, m, v] = inputs;
  const g: T | undefined = inputs.slice(3, -1)[0];
  return { p, m, v, g, hyper: inputs[inputs.length - 1] };
}

/** The update of one parameter and its two moments, in any arithmetic. */
function updateOf<T>(f: Arithmetic<T>, hyper: readonly T[], decay: boolean) {
  const [lr, beta1, beta2, epsilon, weightDecay, correction1, correction2, clip] = hyper;
  const one = f.constant(1);
  const [rest1, rest2] = [f.sub(one, beta1), f.sub(one, beta2)];
  const [scale1, scale2] = [f.div(one, correction1), f.div(one, correction2)];
  const factor = decay ? weightDecay : f.constant(0);
  return (p: T, m: T, v: T, gradient: T): readonly [p: T, m: T, v: T] => {
    const g = f.mul(gradient, clip);
    const moment1 = f.add(f.mul(beta1, m), f.mul(rest1, g));
    const moment2 = f.add(f.mul(beta2, v), f.mul(rest2, f.mul(g, g)));
    const root = f.add(f.sqrt(f.mul(moment2, scale2)), epsilon);
    const step = f.add(f.div(f.mul(moment1, scale1), root), f.mul(factor, p));
    return [f.sub(p, f.mul(lr, step)), moment1, moment2];
  };
}

/**
 * Updates `parameters`, `moment1`, `moment2` [N], all declared as state, by `gradient` [N]; null is one of zeros, in the same
 * bits. `hyper` f32 [8]: lr, beta1, beta2, eps, weight_decay, bias_correction1 = 1 − beta1ᵗ, bias_correction2 = 1 − beta2ᵗ, clip_scale. Without `decay`
 * the weight decay is taken as 0.
 *
 * Each operation is rounded to fp32, in this order: g′ = g·clip; m = β₁m + (1−β₁)g′; v = β₂v + (1−β₂)(g′·g′);
 * p −= lr·((m·(1/bc₁)) / (√(v·(1/bc₂)) + eps) + wd·p). Throws `ShapeError` when the shapes differ.
 */
export function adamw(
  parameters: Value,
  moment1: Value,
  moment2: Value,
  gradient: Value | null,
  hyper: Value,
  { decay = true }: { readonly decay?: boolean } = {},
): void {
  const gradients = gradient === null ? [] : [gradient];
  op([parameters, moment1, moment2, ...gradients, hyper], { decay });
}
