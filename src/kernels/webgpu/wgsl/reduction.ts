/** Sums and maxima over any axes: over the last one by rows, over the first ones by columns, else element by element. */
import type { Typed } from '../../type.ts';
import { isStatic, maxElements, type Shape } from '../../shape.ts';
import type { Lowering } from '../lowering.ts';
import { sizeText } from '../pass.ts';
import { columnSums } from './column_sums.ts';

type Kind = 'sum' | 'max';

/** `axes` of x, sorted, go; y has the others, in order. */
export function reductionPass(
  lowering: Lowering,
  { label, x, y, axes, kind }: { label: string; x: Typed; y: Typed; axes: readonly number[]; kind: Kind },
): void {
  const { shape } = x.type;
  const rank = shape.length;
  const step = (term: string): string => (kind === 'sum' ? `part += ${term};` : `part = max(part, ${term});`);
  const start = kind === 'sum' ? '0f' : '-infinity()';
  if (axes.length === 1 && axes[0] === rank - 1) {
    const width = maxElements(shape.slice(-1));
    lowering.rows({
      label,
      reads: { x },
      writes: { y },
      over: shape.slice(0, -1),
      width,
      body: (row) => `var part = ${start};
${row.each('c', step(`x[row * ${width}u + c]`))}
let whole = ${kind === 'sum' ? row.sum('part') : row.max('part')};
${row.once('y[row] = whole;')}`,
    });
    return;
  }
  const inner = shape.slice(axes.length);
  if (kind === 'sum' && axes.length > 0 && axes.every((axis, i) => axis === i) && isStatic(inner)) {
    const columns = maxElements(inner);
    const rows = shape.slice(0, axes.length);
    columnSums(lowering, { label, reads: { x }, rows, columns, term: `x[r * ${columns}u + c]`, out: y });
    return;
  }
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const walk = walkOf(shape, axes, kept);
  lowering.each({
    label,
    reads: { x },
    writes: { y },
    over: kept.map((axis) => shape[axis]),
    body: `var part = ${start};
${walk.begin}
${step('x[at]')}
${walk.end}
y[i] = part;`,
  });
}

/** Loops over the elements `at` of x that fall into element `i` of what is kept, in row-major order. */
export function walkOf(
  shape: Shape,
  axes: readonly number[],
  kept: readonly number[],
): { readonly begin: string; readonly end: string } {
  const stepOf = (axis: number): number => maxElements(shape.slice(axis + 1));
  const place = kept.map((axis, k) => {
    const inside = kept.slice(k + 1).map((later) => sizeText(shape[later]));
    const above = inside.length === 0 ? 'i' : `i / (${inside.join(' * ')})`;
    return `(${k === 0 ? above : `${above} % ${sizeText(shape[axis])}`}) * ${stepOf(axis)}u`;
  });
  const begin = axes.map((axis, k) => {
    const from = k === 0 ? ['0u', ...place].join(' + ') : `at${k - 1}`;
    return `for (var n${k} = 0u; n${k} < ${sizeText(shape[axis])}; n${k}++) { let at${k} = ${from} + n${k} * ${stepOf(axis)}u;`;
  });
  const last = axes.length === 0 ? ['0u', ...place].join(' + ') : `at${axes.length - 1}`;
  return { begin: `${begin.join('\n')}{ let at = ${last};`, end: '}'.repeat(axes.length + 1) };
}
