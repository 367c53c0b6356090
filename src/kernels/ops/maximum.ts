/** y = max(a, b), broadcasting. Where they are equal the gradient goes to a. */
import { binary } from '../elementwise.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';

/** 1 where a ≥ b, else 0. It has no gradient. */
const greaterOrEqual = binary({
  name: 'greater_or_equal',
  onnx: (graph, a, b) => graph.one('Cast', [graph.one('GreaterOrEqual', [a, b])], { to: 1 }),
  formula: (f, a, b) => f.whereLess(a, b, f.constant(0), f.constant(1)),
});

export const maximum = binary({
  name: 'maximum',
  onnx: 'Max',
  formula: (f, a, b) => f.maximum(a, b),
  gradient: (c, a, b) => {
    const da = mul(c, greaterOrEqual(a, b));
    return [da, sub(c, da)];
  },
});
