/** y = x · Φ(x), Φ the normal distribution function, by the error function (not the tanh approximation). */
import type { Arithmetic } from '../arithmetic.ts';
import { erf, exp } from '../elementary.ts';
import { binary, unary } from '../elementwise.ts';

const below = <T>(f: Arithmetic<T>, x: T): T =>
  f.mul(f.constant(0.5), f.add(f.constant(1), erf(f, f.mul(x, f.constant(Math.SQRT1_2)))));
const density = <T>(f: Arithmetic<T>, x: T): T =>
  f.mul(exp(f, f.mul(f.mul(x, x), f.constant(-0.5))), f.constant(1 / Math.sqrt(2 * Math.PI)));

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
  formula: (f, dy, x) => f.mul(dy, f.add(below(f, x), f.mul(x, density(f, x)))),
});

export const gelu = unary({
  name: 'gelu',
  onnx: 'Gelu',
  formula: (f, x) => f.mul(x, below(f, x)),
  gradient: (c, x) => geluGradient(c, x),
});
