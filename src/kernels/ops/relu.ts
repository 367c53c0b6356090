/** y = max(x, 0). The gradient is 0 at x = 0, and reads y, so that x need not be kept. */
import { binary, unary } from '../elementwise.ts';

/** dx = dy where y > 0, else 0. */
export const reluGradient = binary({ name: 'relu_gradient', scalar: (dy, y) => (y > 0 ? dy : 0) });

export const relu = unary({
  name: 'relu',
  onnx: 'Relu',
  scalar: (x) => (x > 0 ? x : 0),
  gradient: (c, _x, y) => reluGradient(c, y),
});
