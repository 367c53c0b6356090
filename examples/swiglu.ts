/**
 * A feed-forward network of one's own: SwiGLU, W_down (silu(W_gate h) * W_up h), without biases (Shazeer 2020, "GLU
 * Variants Improve Transformer"). A topology uses it by `model: { sublayers: swiglu.ts }`: in dense layers, and as what
 * each expert of a mixture computes. Only types are imported, so that the file may lie anywhere.
 */
import type { FeedForward } from 'troupe';

export const feedForward: FeedForward = {
  // D is the width of the residual stream, F that of the network. Matrices are [out, in].
  weights: ({ hidden: D, ffn: F }, { matrix }) => ({
    gate_FD: matrix('gate_proj.weight', F, D),
    up_FD: matrix('up_proj.weight', F, D),
    down_DF: matrix('down_proj.weight', D, F),
  }),
  // Traced once into a program, which every worker differentiates and compiles.
  apply: (h_RD, { gate_FD, up_FD, down_DF }, _shape, { matmul, mul, silu }) => {
    const gate_RF = silu(matmul(h_RD, gate_FD, { transposeB: true }));
    const up_RF = matmul(h_RD, up_FD, { transposeB: true });
    return matmul(mul(gate_RF, up_RF), down_DF, { transposeB: true });
  },
};
