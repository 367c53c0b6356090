/** y = tanh x. */
import { tanh as hyperbolicTangent } from '../elementary.ts';
import { unary } from '../elementwise.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';

export const tanh = unary({
  name: 'tanh',
  onnx: 'Tanh',
  formula: hyperbolicTangent,
  gradient: (c, _x, y) => sub(c, mul(c, mul(y, y))),
});
