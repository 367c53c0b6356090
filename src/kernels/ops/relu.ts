/** y = max(x, 0). The gradient is 0 at x = 0, and reads y, so that x need not be kept. */
import { binary, unary } from '../elementwise.ts';

/** dx = dy · [y > 0]: a product, since onnxruntime's Where takes three times as long as comparing and multiplying. */
export const reluGradient = binary({
  name: 'relu_gradient',
  onnx: (graph, dy, y) => {
    const isPositive = graph.one('Greater', [y, graph.float32([0], [])]);
    return graph.one('Mul', [dy, graph.one('Cast', [isPositive], { to: 1 })]);
  },
  scalar: (dy, y) => dy * (y > 0 ? 1 : 0),
});

export const relu = unary({
  name: 'relu',
  onnx: 'Relu',
  scalar: (x) => (x > 0 ? x : 0),
  gradient: (c, _x, y) => reluGradient(c, y),
});
