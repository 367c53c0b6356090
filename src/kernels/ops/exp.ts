/** y = eˣ. */
import { unary } from '../elementwise.ts';
import { mul } from './mul.ts';

export const exp = unary({ name: 'exp', onnx: 'Exp', scalar: Math.exp, gradient: (c, _x, y) => mul(c, y) });
