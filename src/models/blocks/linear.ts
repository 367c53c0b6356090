/** A linear layer, its weight stored as Hugging Face has it. */
import type { Value } from '../../kernels/graph.ts';
import { add } from '../../kernels/ops/add.ts';
import { matmul } from '../../kernels/ops/matmul.ts';

/** y = x Wᵀ, and + b where there is a bias; W stored [out, in]. */
export function linear(x: Value, w: Value, b?: Value): Value {
  const y = matmul(x, w, { transposeB: true });
  return b === undefined ? y : add(y, b);
}
