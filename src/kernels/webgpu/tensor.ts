/** A tensor of the WebGPU device: a range of a buffer. */
import type { Tensor } from '../device.ts';
import { bytesPerElement, type DType } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import { elements } from '../shape.ts';

let count = 0;

export class GpuTensor implements Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  /** Bytes that may be bound: a whole number of vectors. */
  readonly boundBytes: number;
  /** No other tensor of the process has it. */
  readonly id = count++;

  constructor(buffer: GPUBuffer, offset: number, dtype: DType, shape: readonly number[]) {
    this.buffer = buffer;
    this.offset = offset;
    this.dtype = dtype;
    this.shape = shape;
    this.bytes = elements(shape) * bytesPerElement[dtype];
    this.boundBytes = boundBytes(this.bytes);
  }
}

/** A shader may see a buffer as vectors of 16 bytes. */
export const boundBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

/** The tensor behind a bound one. Throws `ProgramError` for a tensor of another device. */
export function gpuTensor(program: string, name: string, tensor: Tensor | undefined): GpuTensor {
  if (tensor instanceof GpuTensor) return tensor;
  throw new ProgramError(
    program,
    tensor === undefined ? `nothing is bound to ${name}` : `${name} is not a tensor of the webgpu device`,
  );
}
