/** y = x · Φ(x), Φ the normal distribution function, by the error function (not the tanh approximation). */
import { binary, unary } from '../elementwise.ts';
import { erf } from '../normal.ts';

const below = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2));
const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** dx = dy · (Φ(x) + x · φ(x)). */
export const geluGradient = binary({
  name: 'gelu_gradient',
  onnx: (graph, dy, x) => {
    const one = (op: string, ...inputs: string[]) => graph.one(op, inputs);
    const number = (value: number) => graph.float32([value], []);
    const twiceBelow = one('Add', one('Erf', one('Mul', x, number(Math.SQRT1_2))), number(1));
    const bell = one('Exp', one('Mul', one('Mul', x, x), number(-0.5)));
    const slope = one('Mul', one('Mul', x, bell), number(1 / Math.sqrt(2 * Math.PI)));
    return one('Mul', dy, one('Add', one('Mul', twiceBelow, number(0.5)), slope));
  },
  scalar: (dy, x) => dy * (below(x) + x * density(x)),
});

export const gelu = unary({
  name: 'gelu',
  onnx: 'Gelu',
  scalar: (x) => x * below(x),
  gradient: (c, x) => geluGradient(c, x),
});
