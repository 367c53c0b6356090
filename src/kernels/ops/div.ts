/** y = a / b, broadcasting. */
import type { Value } from '../graph.ts';
import { binary } from '../elementwise.ts';
import { mul } from './mul.ts';
import { neg } from './neg.ts';

export const div = binary({
  name: 'div',
  onnx: 'Div',
  formula: (f, a, b) => f.div(a, b),
  gradient: (c, _a, b, y): readonly [Value, Value] => {
    const da = div(c, b);
    return [da, neg(mul(da, y))];
  },
});
