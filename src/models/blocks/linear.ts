/** A linear layer without a bias, its weight stored as Hugging Face has it. */
import type { Value } from '../../kernels/graph.ts';
import { matmul } from '../../kernels/ops/matmul.ts';

/** y = x Wᵀ, W stored [out, in]. */
export const linear = (x: Value, w: Value): Value => matmul(x, w, { transposeB: true });
