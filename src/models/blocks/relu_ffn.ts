/** The ReLU feed-forward network without biases (arXiv 1706.03762): relu(h Wupᵀ) Wdownᵀ. Shape suffixes: see `model.ts`. */
import { relu } from '../../kernels/ops/relu.ts';
import { linear } from './linear.ts';
import type { FeedForward } from '../sublayer.ts';

export const reluFfn: FeedForward = {
  weights: ({ hidden: D, ffn: F }, { matrix }) => ({
    up_FD: matrix('up_proj.weight', F, D),
    down_DF: matrix('down_proj.weight', D, F),
  }),
  apply: (h_RD, { up_FD, down_DF }, _shape, _ops, tap) => {
    const a_RF = relu(linear(h_RD, up_FD));
    tap?.('neurons', () => a_RF);
    return linear(a_RF, down_DF);
  },
};
