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
export type { Bindings, Device, Executable, FlatArena, GroupExecutable, GroupSize, Slice, Tensor } from './device.ts';
export { DTypeError, OutOfSliceMemory, ProgramError, ShapeError } from './errors.ts';
export { CpuDevice, type CpuDeviceOptions } from './cpu/device.ts';
export { draw, fillTruncatedNormal, fillUniform, streamOf, substream, type Stream } from './random.ts';

export * from './ops/index.ts';
export { accumulate } from './ops/accumulate.ts';
export { adamw } from './ops/adamw.ts';
export { muon } from './ops/muon.ts';
export { orthogonal } from './ops/orthogonal.ts';
