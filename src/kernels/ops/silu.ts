/** y = x · sigmoid(x), also called swish. */
import { sigmoid as logistic } from '../elementary.ts';
import { unary } from '../elementwise.ts';
import { add } from './add.ts';
import { mul } from './mul.ts';
import { sigmoid } from './sigmoid.ts';
import { sub } from './sub.ts';

export const silu = unary({
  name: 'silu',
  onnx: (graph, x) => graph.one('Mul', [x, graph.one('Sigmoid', [x])]),
  formula: (f, x) => f.mul(x, logistic(f, x)),
  gradient: (c, x, y) => {
    const s = sigmoid(x);
    return mul(c, add(s, sub(y, mul(y, s))));
  },
});
