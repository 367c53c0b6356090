/** y = a · b, broadcasting. */
import { binary } from '../elementwise.ts';

export const mul = binary({
  name: 'mul',
  onnx: 'Mul',
  formula: (f, a, b) => f.mul(a, b),
  gradient: (c, a, b) => [mul(c, b), mul(c, a)],
});
