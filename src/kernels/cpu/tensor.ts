/**
 * A tensor of the CPU device: a typed view of the arena. onnxruntime reads and writes the same memory through
 * `ort.Tensor`s, kept for the last shape asked so that a steady step makes none.
 */
import { OrtTensor } from './onnxruntime.ts';
import { bytesPerElement, view, type Data, type DType } from '../dtype.ts';
import type { Tensor } from '../device.ts';
import { elements } from '../shape.ts';
import { ProgramError } from '../errors.ts';
import type { Operand } from '../type.ts';

export class CpuTensor implements Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly data: Data;
  private readonly bound = new Map<number, OrtTensor>();

  /** `capacity` elements at `byteOffset`; never fewer than the shape has. */
  constructor(
    buffer: ArrayBufferLike,
    byteOffset: number,
    dtype: DType,
    shape: readonly number[],
    capacity = elements(shape),
  ) {
    this.dtype = dtype;
    this.shape = shape;
    this.bytes = capacity * bytesPerElement[dtype];
    this.data = view(dtype, buffer, byteOffset, capacity);
  }

  /** A part of the tensor, from element `at` on, as one over the same memory. */
  part(at: number, shape: readonly number[]): CpuTensor {
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = this.data;
    return new CpuTensor(buffer, byteOffset + at * BYTES_PER_ELEMENT, this.dtype, shape);
  }

  /** The head of the tensor as an operand of the given shape. */
  operand(shape: readonly number[]): Operand {
    const length = elements(shape);
    return { data: length === this.data.length ? this.data : this.data.subarray(0, length), shape };
  }

  /** The head of the tensor for onnxruntime. Shapes of one tensor differ in the first dimension only. */
  ort(shape: readonly number[]): OrtTensor {
    const key = shape[0] ?? 1;
    const known = this.bound.get(key);
    if (known !== undefined && sameSizes(known.dims, shape)) return known;
    const made = ortTensor(this.operand(shape));
    if (this.bound.size >= 8) this.bound.clear();
    this.bound.set(key, made);
    return made;
  }
}

/** The CPU tensor behind a bound tensor. Throws `ProgramError` for a tensor of another device. */
export function cpuTensor(program: string, name: string, tensor: Tensor | undefined): CpuTensor {
  if (tensor instanceof CpuTensor) return tensor;
  throw new ProgramError(
    program,
    tensor === undefined ? `nothing is bound to ${name}` : `${name} is not a tensor of the cpu device`,
  );
}

function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

function ortTensor({ data, shape }: Operand): OrtTensor {
  if (data instanceof Float32Array) return new OrtTensor('float32', data, shape);
  if (data instanceof Int32Array) return new OrtTensor('int32', data, shape);
  if (data instanceof Uint32Array) return new OrtTensor('uint32', data, shape);
  return new OrtTensor('uint16', data, shape);
}
