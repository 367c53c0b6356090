/**
 * The op `muon` ends one Muon update of a matrix, in place, in fp32: it changes its momentum, and its values by the direction
 * that `orthogonal` made. What depends on the step comes in as numbers, so that one program serves every step.
 */
import { numbers, type Arithmetic } from '../arithmetic.ts';
import { requireFloats, requireRank } from '../check.ts';
import { floats } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { maxElements, sameShape, showShape } from '../shape.ts';
import { arithmeticOf, Statements } from '../webgpu/wgsl/arithmetic.ts';

interface Attributes {
  readonly decay: boolean;
  /** What the direction is multiplied by, beside the learning rate. */
  readonly scale: number;
}

/** Numbers in `hyper`. */
const HYPER = 5;

const op = defineOp<Attributes>({
  name: 'muon',
  writes: [0, 1],
  infer: ([parameters, ...others]) => {
    requireFloats('muon', [parameters, ...others]);
    requireRank('muon', 'parameters', parameters, 2);
    const hyper = others[3];
    if (!sameShape(hyper.shape, [HYPER]))
      throw new ShapeError('muon', `hyper is ${showShape(hyper.shape)}, needs [${HYPER}]`);
    for (const { shape } of others.slice(0, 3)) {
      if (!sameShape(shape, parameters.shape)) {
        throw new ShapeError('muon', `${showShape(shape)} does not fit parameters ${showShape(parameters.shape)}`);
      }
    }
    return [];
  },
  reference: ([parameters, momentum, direction, gradient, hyper], _outputs, attributes) => {
    const [p, m, o, g] = [parameters, momentum, direction, gradient].map(({ data }) => floats('muon', data));
    const update = updateOf(numbers, [...floats('muon', hyper.data)], attributes);
    for (let i = 0; i < p.length; i++) [p[i], m[i]] = update(p[i], m[i], o[i], g[i]);
  },
  wasm: (kernel, [p, m, o, g, hyper], _outputs, attributes) => {
    if (!kernel.takes(p.type.shape)) return false;
    const settings = Array.from({ length: HYPER }, (_, i) => kernel.splat(hyper, undefined, 4 * i));
    const update = updateOf(kernel.f, settings, attributes);
    kernel.each(p.type.shape, (at, offset) => {
      const [parameter, momentum, direction, gradient] = [p, m, o, g].map((x) => kernel.load(x, at, offset));
      const updated = update(parameter, momentum, direction, gradient);
      [p, m].forEach((x, i) => kernel.store(x, updated[i], at, offset));
    });
    return true;
  },
  wgsl: (lowering, [p, m, o, g, hyper], _outputs, attributes) => {
    const lanes = maxElements(p.type.shape) % 4 === 0 ? 4 : 1;
    const statements = new Statements();
    const f = arithmeticOf(statements, lanes);
    const settings = Array.from({ length: HYPER }, (_, i) =>
      statements.let(lanes === 4 ? `vec4<f32>(hyper[${i}])` : `hyper[${i}]`),
    );
    const update = updateOf(f, settings, attributes);
    const [parameter, momentum, direction, gradient] = ['p', 'm', 'o', 'g'].map((name) => statements.let(`${name}[i]`));
    update(parameter, momentum, direction, gradient).forEach((x, i) => statements.add(`${['p', 'm'][i]}[i] = ${x};`));
    const wide = lanes === 4 ? 'vec4<f32>' : 'f32';
    lowering.each({
      label: 'muon',
      reads: { o, g, hyper },
      writes: { p, m },
      elements: { o: wide, g: wide, p: wide, m: wide },
      over: [maxElements(p.type.shape) / lanes],
      body: statements.text,
    });
  },
});

/** The update of one parameter and its momentum, in any arithmetic. */
function updateOf<T>(f: Arithmetic<T>, hyper: readonly T[], { decay, scale }: Attributes) {
  const [lr, momentum, weightDecay, clip] = hyper;
  const length = f.constant(scale);
  const factor = decay ? weightDecay : f.constant(0);
  return (p: T, m: T, direction: T, gradient: T): readonly [p: T, m: T] => {
    const step = f.add(f.mul(length, direction), f.mul(factor, p));
    return [f.sub(p, f.mul(lr, step)), f.add(f.mul(momentum, m), f.mul(gradient, clip))];
  };
}

/**
 * Updates `parameters` and `momentum` [M, N], both declared as state, by `direction` and `gradient` [M, N]. `hyper` f32
 * [5]: lr, momentum, weight_decay, clip_scale, and the epsilon of `orthogonal`, which is not read here. Without `decay` the
 * weight decay is taken as 0.
 *
 * Each operation is rounded to fp32, in this order: p −= lr·(scale·o + wd·p); m = μ·m + g·clip. Throws `ShapeError` when the
 * shapes differ or are no matrices'.
 */
export function muon(
  parameters: Value,
  momentum: Value,
  direction: Value,
  gradient: Value,
  hyper: Value,
  { decay = true, scale = 1 }: Partial<Attributes> = {},
): void {
  op([parameters, momentum, direction, gradient, hyper], { decay, scale: Math.fround(scale) });
}
