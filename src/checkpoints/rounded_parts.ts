/**
 * Rounded parts are the values of a float tensor in another float dtype, a part at a time: wider ones exactly, narrower ones
 * to the nearest, ties to even, as every tool of the field rounds them.
 */
import { BadTensor } from './errors.ts';
import { DTYPE_BYTES, f32Tensor, float32Of } from './tensor.ts';
import type { Dtype, TensorParts } from './tensor.ts';

export type FloatDtype = 'F32' | 'BF16' | 'F16';

export const isFloatDtype = (dtype: Dtype): dtype is FloatDtype =>
  dtype === 'F32' || dtype === 'BF16' || dtype === 'F16';

/** Throws `BadTensor`, once it is read, for what is no float, and for a value that is finite and would not be in F16. */
export function roundedParts(tensor: TensorParts, dtype: FloatDtype): TensorParts {
  return tensor.dtype === dtype ? tensor : { ...tensor, dtype, parts: roundedOf(tensor, dtype) };
}

async function* roundedOf(
  { name, dtype: from, parts }: TensorParts,
  to: FloatDtype,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const data of parts) {
    const values = float32Of({ name, dtype: from, shape: [data.length / DTYPE_BYTES[from]], data });
    if (to === 'F32') {
      yield f32Tensor(name, [values.length], values).data;
      continue;
    }
    const bits = new Uint32Array(values.buffer);
    const halves = new Uint16Array(bits.length);
    const round = to === 'BF16' ? toBf16 : toHalf;
    for (let i = 0; i < bits.length; i++) halves[i] = round(bits[i]);
    if (to === 'F16') checkFinite(name, values, halves);
    yield new Uint8Array(halves.buffer);
  }
}

/** Throws `BadTensor` where a finite value has become infinite: the largest of F16 is 65504. */
function checkFinite(name: string, values: Float32Array, halves: Uint16Array): void {
  for (let i = 0; i < halves.length; i++) {
    if ((halves[i] & 0x7fff) !== 0x7c00 || !Number.isFinite(values[i])) continue;
    throw new BadTensor(name, 'a float16 file', `${values[i]} is beyond its range`, 'write bfloat16 or float32');
  }
}

/** The bf16 nearest to a binary32 bit pattern; what is not a number stays so. */
function toBf16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The binary16 nearest to a binary32 bit pattern. */
function toHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520 is half way to what would come after 65504.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  const exponent = magnitude >>> 23;
  if (exponent >= 113) {
    const rebiased = magnitude - (112 << 23);
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  // Multiples of 2^-24; half of that is a tie, and goes to 0.
  if (exponent < 102) return sign;
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const floor = fraction >>> shift;
  const rest = fraction - floor * 2 ** shift;
  const half = 2 ** (shift - 1);
  return sign | (rest > half || (rest === half && floor % 2 === 1) ? floor + 1 : floor);
}
