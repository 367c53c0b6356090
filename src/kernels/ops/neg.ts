/** y = −x. */
import type { Value } from '../graph.ts';
import { unary } from '../elementwise.ts';

export const neg = unary({ name: 'neg', onnx: 'Neg', formula: (f, x) => f.negate(x), gradient: (c): Value => neg(c) });
