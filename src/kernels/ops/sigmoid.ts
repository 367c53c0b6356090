/** y = 1 / (1 + e⁻ˣ). */
import { sigmoid as logistic } from '../elementary.ts';
import { unary } from '../elementwise.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';

export const sigmoid = unary({
  name: 'sigmoid',
  onnx: 'Sigmoid',
  formula: logistic,
  gradient: (c, _x, y) => mul(c, sub(y, mul(y, y))),
});
