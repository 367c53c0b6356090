/** y = ln x: −∞ of 0, NaN below it. It has no ONNX form: onnxruntime's has other bits at other places. */
import { log as logarithm } from '../elementary.ts';
import { unary } from '../elementwise.ts';
import { div } from './div.ts';

export const log = unary({ name: 'log', formula: logarithm, gradient: (c, x) => div(c, x) });
