/** y = a · b, broadcasting. */
import { binary } from '../elementwise.ts';

export const mul = binary({
  name: 'mul',
  onnx: 'Mul',
  scalar: (a, b) => Math.fround(a * b),
  gradient: (c, a, b) => [mul(c, b), mul(c, a)],
});
