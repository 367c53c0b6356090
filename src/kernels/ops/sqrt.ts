/** y = √x. The gradient is infinite at 0. */
import { unary } from '../elementwise.ts';
import { div } from './div.ts';
import { scale } from './scale.ts';

export const sqrt = unary({
  name: 'sqrt',
  onnx: 'Sqrt',
  formula: (f, x) => f.sqrt(x),
  gradient: (c, _x, y) => div(scale(c, 0.5), y),
});
