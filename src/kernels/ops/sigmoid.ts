/** y = 1 / (1 + e⁻ˣ). */
import { unary } from '../elementwise.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';

export const sigmoid = unary({
  name: 'sigmoid',
  onnx: 'Sigmoid',
  scalar: (x) => 1 / (1 + Math.exp(-x)),
  gradient: (c, _x, y) => mul(c, sub(y, mul(y, y))),
});
