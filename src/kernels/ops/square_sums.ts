/**
 * Sums of squares in parts of 1024 elements: part i = Σ x² over the elements from 1024·i on, as `lane_sum.ts` orders it.
 * For norms where reading x itself would cost more than the norm: the host reads a thousandth, and folds it in fp64.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats, staticShape } from '../check.ts';
import { floats } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { laneSum } from '../lane_sum.ts';
import { defineOp } from '../op.ts';
import { elements, maxElements } from '../shape.ts';

/** Elements of a part. */
export const PART_ELEMENTS = 1024;

/** Parts of so many elements. */
export const partsOf = (length: number): number => Math.ceil(length / PART_ELEMENTS);

const op = defineOp<undefined>({
  name: 'square_sums',
  infer: ([x]) => {
    requireFloats('square_sums', [x]);
    return [{ dtype: 'f32', shape: [partsOf(elements(staticShape('square_sums', 'x', x.shape)))] }];
  },
  reference: ([x], [parts]) => {
    const from = floats('square_sums', x.data);
    const to = floats('square_sums', parts.data);
    for (let part = 0; part < to.length; part++) {
      const at = part * PART_ELEMENTS;
      const count = Math.min(PART_ELEMENTS, from.length - at);
      to[part] = laneSum(count, (i) => numbers.mul(from[at + i], from[at + i]));
    }
  },
  wgsl: (lowering, [x], [parts]) =>
    lowering.rows({
      label: 'square_sums',
      reads: { x },
      writes: { parts },
      over: parts.type.shape,
      width: PART_ELEMENTS,
      body: (row) => `let at = row * ${PART_ELEMENTS}u;
let count = min(${PART_ELEMENTS}u, ${maxElements(x.type.shape)}u - at);
var part = 0f;
${row.each('c', 'if (c < count) { part += x[at + c] * x[at + c]; }')}
let whole = ${row.sum('part')};
${row.once('parts[row] = whole;')}`,
    }),
});

/** x, of fixed sizes, N elements → [⌈N / 1024⌉]. Throws `ShapeError`, `DTypeError`. */
export function squareSums(x: Value): Value {
  return op([x], undefined)[0];
}
