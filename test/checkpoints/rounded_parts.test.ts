/** Floats in narrower dtypes: the nearest value, ties to even, for whatever bits there are; and the same bits back where nothing is lost. */
import { describe, expect, it } from 'vitest';
import { f32Tensor, float32Of, roundedParts, type FloatDtype, type TensorBytes } from '../../src/checkpoints/index.ts';
import { rejection } from './scratch.ts';

/** What a tensor is in another dtype, given in parts of two elements. */
async function rounded({ name, dtype, shape, data }: TensorBytes, to: FloatDtype): Promise<TensorBytes> {
  const size = dtype === 'F32' ? 8 : 4;
  async function* parts(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += size) yield await Promise.resolve(data.subarray(at, at + size));
  }
  const bytes: Uint8Array[] = [];
  for await (const part of roundedParts({ name, dtype, shape, parts: parts() }, to).parts) bytes.push(part.slice());
  return { name, dtype: to, shape, data: Buffer.concat(bytes) };
}

const halves = (dtype: 'BF16' | 'F16', bits: Uint16Array): TensorBytes => ({
  name: 't',
  dtype,
  shape: [bits.length],
  data: new Uint8Array(bits.buffer),
});

const every = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);

describe.each([
  ['BF16', 0x7f80],
  ['F16', 0x7c00],
] as const)('%s', (dtype, infinity) => {
  const values = float32Of(halves(dtype, every));

  it('gives each of its values back as it is, by way of fp32', async () => {
    const wide = await rounded(halves(dtype, every), 'F32');
    const back = float32Of(await rounded(wide, dtype));
    expect(back).toEqual(values);
  });

  it('takes what lies half way between two to the even one, and what is a bit beside it to the nearer', async () => {
    const near: number[] = [];
    const wanted: number[] = [];
    for (let bits = 0; bits < infinity - 1; bits++) {
      const [low, high] = [values[bits], values[bits + 1]];
      const middle = (low + high) / 2;
      if (Math.fround(middle) !== middle) continue;
      const ulp = middle < 2 ** -126 ? 2 ** -149 : 2 ** (Math.floor(Math.log2(middle)) - 24);
      near.push(middle, Math.fround(middle - 2 * ulp), Math.fround(middle + 2 * ulp));
      wanted.push(bits % 2 === 0 ? low : high, low, high);
    }
    expect(near.length).toBeGreaterThan(90_000);
    const found = float32Of(await rounded(f32Tensor('t', [near.length], Float32Array.from(near)), dtype));
    expect(found).toEqual(Float32Array.from(wanted));
    const negative = float32Of(
      await rounded(
        f32Tensor(
          't',
          [near.length],
          Float32Array.from(near, (x) => -x),
        ),
        dtype,
      ),
    );
    expect(negative).toEqual(Float32Array.from(wanted, (x) => -x));
  });
});

it('refuses a finite value that float16 has not, by name; infinities and what is no number stay', async () => {
  const odd = Float32Array.of(Infinity, -Infinity, NaN, 65519);
  expect(float32Of(await rounded(f32Tensor('t', [4], odd), 'F16'))).toEqual(
    Float32Array.of(Infinity, -Infinity, NaN, 65504),
  );
  const error = await rejection(rounded(f32Tensor('lm_head.weight', [2], Float32Array.of(1, 65520)), 'F16'));
  expect(error).toMatchObject({
    tag: 'BadTensor',
    message: "tensor 'lm_head.weight' in a float16 file: 65520 is beyond its range; write bfloat16 or float32",
  });
});
