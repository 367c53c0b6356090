/** The mean over some axes of fixed size: the sum, then one multiplication by the reciprocal of the count. */
import { staticSize } from '../check.ts';
import type { Value } from '../graph.ts';
import { reduction } from './reduce.ts';
import { reduceSum } from './reduce_sum.ts';
import { scale } from './scale.ts';

/** Mean of x over `axes` (negative: from the back), which vanish unless `keepDims`. Throws `ShapeError` on a dynamic axis. */
export function reduceMean(x: Value, axes: readonly number[], keepDims = false): Value {
  const { shape } = x.type;
  const count = reduction('reduce_mean', shape, axes, keepDims)
    .axes.map((axis) => staticSize('reduce_mean', `axis ${axis}`, shape[axis]))
    .reduce((n, size) => n * size, 1);
  return scale(reduceSum(x, axes, keepDims), 1 / count);
}
