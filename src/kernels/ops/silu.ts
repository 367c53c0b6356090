/** y = x · sigmoid(x), also called swish. */
import { unary } from '../elementwise.ts';
import { add } from './add.ts';
import { mul } from './mul.ts';
import { sigmoid } from './sigmoid.ts';
import { sub } from './sub.ts';

export const silu = unary({
  name: 'silu',
  onnx: (graph, x) => graph.one('Mul', [x, graph.one('Sigmoid', [x])]),
  scalar: (x) => x / (1 + Math.exp(-x)),
  gradient: (c, x, y) => {
    const s = sigmoid(x);
    return mul(c, add(s, sub(y, mul(y, s))));
  },
});
