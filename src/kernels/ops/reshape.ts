/**
 * The same elements, in the same order, under another shape. A dynamic dimension may only be the first one, before and
 * after.
 */
import { isEmpty } from '../check.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { maxElements, sameDim, sameShape, showShape, type Shape } from '../shape.ts';

const op = defineOp<{ shape: Shape }>({
  name: 'reshape',
  infer: ([x], { shape }) => {
    const fail = (why: string) => new ShapeError('reshape', `${showShape(x.shape)} to ${showShape(shape)}: ${why}`);
    const isDynamic = [x.shape, shape].some((s) => s.some((dim) => typeof dim !== 'number'));
    if (isDynamic) {
      const [from, ...restFrom] = x.shape;
      const [to, ...restTo] = shape;
      if (x.shape.length === 0 || shape.length === 0 || !sameDim(from, to))
        throw fail('a dynamic dimension stays first');
      if ([...restFrom, ...restTo].some((dim) => typeof dim !== 'number')) throw fail('only the first may be dynamic');
      if (maxElements(restFrom) !== maxElements(restTo)) throw fail('the rows differ in size');
    } else if (maxElements(x.shape) !== maxElements(shape)) throw fail('the numbers of elements differ');
    return [{ dtype: x.dtype, shape }];
  },
  reference: ([x], [y]) => y.data.set(x.data),
  wgsl: (lowering, [x], [y]) => lowering.alias(y, x),
  cheap: true,
  gradient: ({ inputs: [x], cotangents: [c] }) => [c && reshape(c, x.type.shape)],
  onnx: (graph, [x], { outputs: [y] }) => {
    if (isEmpty(y.shape) || y.dtype === 'bf16') return null;
    return [graph.one('Reshape', [x, graph.int64(y.shape.map((dim) => (typeof dim === 'number' ? dim : -1)))])];
  },
});

/** `x` under `shape`. Throws `ShapeError` when the elements do not fit. */
export function reshape(x: Value, shape: Shape): Value {
  return sameShape(x.type.shape, shape) ? x : op([x], { shape })[0];
}
