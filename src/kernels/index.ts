/**
 * The public face of the kernels: trace a function of values into a program, differentiate it, compile it for a device,
 * run it over tensors of a slice. Everything else in this folder serves these.
 */
export { trace, f32, i32, u32, bf16, weight, state, type InputSpec, type Values } from './trace.ts';
export { vjp, passedBytes, type Passed, type Vjp, type VjpOptions } from './vjp.ts';
export { flopsOf, show, typeOf, type Binding, type Program, type Role } from './program.ts';
export { runReference } from './reference.ts';
export { dynamic, elements, maxElements, type Dim, type DynamicDim, type LiveSizes, type Shape } from './shape.ts';
export { allocate, bytesPerElement, type Data, type DType } from './dtype.ts';
export type { Value } from './graph.ts';
export type { Type } from './type.ts';
export type { Bindings, Device, Executable, FlatArena, Slice, Tensor } from './device.ts';
export { DTypeError, OutOfSliceMemory, ProgramError, ShapeError } from './errors.ts';
export { CpuDevice, type CpuDeviceOptions } from './cpu/device.ts';
export { draw, fillTruncatedNormal, fillUniform, streamOf, substream, type Stream } from './random.ts';

export { accumulate } from './ops/accumulate.ts';
export { adamw } from './ops/adamw.ts';
export { add } from './ops/add.ts';
export { broadcastTo } from './ops/broadcast_to.ts';
export { causalAttention } from './ops/causal_attention.ts';
export { combine } from './ops/combine.ts';
export { concat } from './ops/concat.ts';
export { div } from './ops/div.ts';
export { embedding } from './ops/embedding.ts';
export { exp } from './ops/exp.ts';
export { fromBf16 } from './ops/from_bf16.ts';
export { gatherRows, segmentSum } from './ops/gather_rows.ts';
export { gelu } from './ops/gelu.ts';
export { jitter } from './ops/jitter.ts';
export { layerNorm } from './ops/layer_norm.ts';
export { linearCrossEntropy } from './ops/linear_cross_entropy.ts';
export { matmul, type MatmulOptions } from './ops/matmul.ts';
export { maximum } from './ops/maximum.ts';
export { mul } from './ops/mul.ts';
export { neg } from './ops/neg.ts';
export { pad } from './ops/pad.ts';
export { reduceMax } from './ops/reduce_max.ts';
export { reduceMean } from './ops/reduce_mean.ts';
export { reduceSum } from './ops/reduce_sum.ts';
export { relu } from './ops/relu.ts';
export { reshape } from './ops/reshape.ts';
export { rmsNorm } from './ops/rms_norm.ts';
export { rope } from './ops/rope.ts';
export { roundBf16 } from './ops/round_bf16.ts';
export { scale } from './ops/scale.ts';
export { sigmoid } from './ops/sigmoid.ts';
export { silu } from './ops/silu.ts';
export { slice } from './ops/slice.ts';
export { softmax } from './ops/softmax.ts';
export { sqrt } from './ops/sqrt.ts';
export { sub } from './ops/sub.ts';
export { sumTo } from './ops/sum_to.ts';
export { tanh } from './ops/tanh.ts';
export { toBf16 } from './ops/to_bf16.ts';
export { topK } from './ops/top_k.ts';
export { transpose } from './ops/transpose.ts';
