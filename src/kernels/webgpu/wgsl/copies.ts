/** Elements that are moved and not changed: where each of the result comes from. */
import type { Typed } from '../../type.ts';
import { maxElements } from '../../shape.ts';
import { ShapeError } from '../../errors.ts';
import type { Lowering } from '../lowering.ts';

/** A run of elements of `to` that lies together: `outer` times `length` elements, so many apart in each. */
export interface CopiedRuns {
  readonly label: string;
  readonly from: Typed;
  readonly to: Typed;
  readonly length: number;
  readonly fromStep: number;
  readonly fromStart: number;
  readonly toStep: number;
  readonly toStart: number;
}

/** `outer` is the product of the axes before the one that is cut or joined; of bf16, runs have to be whole words. */
export function copyRunsPass(lowering: Lowering, outer: Typed['type']['shape'], runs: CopiedRuns): void {
  const { label, from, to, ...steps } = runs;
  const perWord = from.type.dtype === 'bf16' ? 2 : 1;
  const { length, fromStep, fromStart, toStep, toStart } = steps;
  if (Object.values(steps).some((n) => n % perWord !== 0)) {
    throw new ShapeError(label, `runs of ${length} bf16 elements do not begin and end at whole words`);
  }
  const words = length / perWord;
  if (words === 0) return;
  lowering.each({
    label,
    reads: { x: from },
    writes: { y: to },
    over: [...outer, words],
    body: `let run = i / ${words}u;
let at = i % ${words}u;
y[run * ${toStep / perWord}u + ${toStart / perWord}u + at] = x[run * ${fromStep / perWord}u + ${fromStart / perWord}u + at];`,
  });
}

export function zeroPass(lowering: Lowering, label: string, y: Typed): void {
  lowering.each({ label, reads: {}, writes: { y }, over: y.type.shape, body: 'y[i] = 0f;' });
}

/** Axes of `x` in another order. */
export function transposePass(lowering: Lowering, x: Typed, y: Typed, permutation: readonly number[]): void {
  const { shape } = y.type;
  if (x.type.dtype === 'bf16') throw new ShapeError('transpose', 'bf16 cannot be transposed on this device');
  const stepOf = (axis: number): number => maxElements(x.type.shape.slice(axis + 1));
  const terms = shape.map((dim, axis) => {
    const inside = maxElements(shape.slice(axis + 1));
    const above = inside === 1 ? 'i' : `i / ${inside}u`;
    const size = typeof dim === 'number' ? dim : dim.max;
    return `(${axis === 0 ? above : `${above} % ${size}u`}) * ${stepOf(permutation[axis])}u`;
  });
  lowering.each({
    label: 'transpose',
    reads: { x },
    writes: { y },
    over: shape,
    body: `y[i] = x[${terms.join(' + ') || '0u'}];`,
  });
}
