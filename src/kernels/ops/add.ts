/** y = a + b, broadcasting. */
import { binary } from '../elementwise.ts';

export const add = binary({
  name: 'add',
  onnx: 'Add',
  scalar: (a, b) => Math.fround(a + b),
  gradient: (c) => [c, c],
});
