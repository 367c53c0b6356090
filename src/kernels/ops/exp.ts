/** y = eˣ. */
import { exp as exponential } from '../elementary.ts';
import { unary } from '../elementwise.ts';
import { mul } from './mul.ts';

export const exp = unary({ name: 'exp', onnx: 'Exp', formula: exponential, gradient: (c, _x, y) => mul(c, y) });
