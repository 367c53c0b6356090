/** y = a + b, broadcasting. */
import { binary } from '../elementwise.ts';

export const add = binary({
  name: 'add',
  onnx: 'Add',
  formula: (f, a, b) => f.add(a, b),
  gradient: (c) => [c, c],
});
