/** y = a − b, broadcasting. */
import { binary } from '../elementwise.ts';
import { neg } from './neg.ts';

export const sub = binary({
  name: 'sub',
  onnx: 'Sub',
  formula: (f, a, b) => f.sub(a, b),
  gradient: (c) => [c, neg(c)],
});
