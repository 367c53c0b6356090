/** y = tanh x. */
import { unary } from '../elementwise.ts';
import { mul } from './mul.ts';
import { sub } from './sub.ts';

export const tanh = unary({
  name: 'tanh',
  onnx: 'Tanh',
  scalar: Math.tanh,
  gradient: (c, _x, y) => sub(c, mul(c, mul(y, y))),
});
