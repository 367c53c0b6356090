/** Raw bytes to numbers: exact for every float dtype. */
import { describe, expect, it } from 'vitest';
import { BadTensor, f32Tensor, float32Of, i32Tensor } from '../../src/checkpoints/index.ts';
import type { Dtype, TensorBytes } from '../../src/checkpoints/index.ts';

const of16 = (dtype: Dtype, ...bits: number[]): TensorBytes => ({
  name: 't',
  dtype,
  shape: [bits.length],
  data: new Uint8Array(Uint16Array.from(bits).buffer),
});

describe('tensor', () => {
  it('gives fp32 values in fresh memory', () => {
    const values = Float32Array.of(1, -0, Infinity, 1e-45);
    const read = float32Of(f32Tensor('t', [4], values));
    values[0] = 2;
    expect(read).toEqual(Float32Array.of(1, -0, Infinity, 1e-45));
  });

  it('widens bfloat16 exactly', () => {
    expect(float32Of(of16('BF16', 0x3f80, 0xc040, 0xff80, 0x0001, 0x7fc0))).toEqual(
      Float32Array.of(1, -3, -Infinity, 2 ** -133, NaN),
    );
  });

  it('widens half precision exactly, subnormals and infinities too', () => {
    expect(float32Of(of16('F16', 0x3c00, 0xc100, 0x7bff, 0x0001, 0x8000, 0xfc00, 0x7e00))).toEqual(
      Float32Array.of(1, -2.5, 65504, 2 ** -24, -0, -Infinity, NaN),
    );
  });

  it('views values that do not begin at the begin of their memory', () => {
    expect(float32Of(f32Tensor('t', [2], Float32Array.of(9, 1, 2, 9).subarray(1, 3)))).toEqual(Float32Array.of(1, 2));
  });

  it('takes no integers for floats', () => {
    expect(() => float32Of(i32Tensor('n', [1], Int32Array.of(1)))).toThrow(BadTensor);
  });
});
