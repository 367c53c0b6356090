/**
 * A pass is one run of microbatches through the model: a training step, an evaluation, or one token of generation.
 * Everything sent for a microbatch names its pass, so that contexts are found by what they are and never by who came
 * first.
 */
import { z } from 'zod';
import type { Data } from '../../kernels/dtype.ts';
import type { TensorPayload } from '../../runtime/index.ts';

export const modes = ['train', 'evaluate', 'generate'] as const;
export type Mode = (typeof modes)[number];

/** One microbatch of one pass. `step` is the data step; `microbatch` the global index in it. */
export const unitSchema = z.object({ mode: z.enum(modes), step: z.int(), microbatch: z.int() });
export type Unit = z.infer<typeof unitSchema>;

export const keyOf = ({ mode, step, microbatch }: Unit): string => `${mode}/${step}/${microbatch}`;

/** Host data as a tensor in message args. bf16 travels as its 16 bits. */
export function payload(data: Data, shape: readonly number[]): TensorPayload {
  if (data instanceof Float32Array) return { dtype: 'f32', shape, data };
  if (data instanceof Int32Array) return { dtype: 'i32', shape, data };
  if (data instanceof Uint32Array) return { dtype: 'u32', shape, data };
  return { dtype: 'u16', shape, data };
}

/** A received tensor as data that a device can take. Throws `TypeError` for bytes, which no device reads. */
export function dataOf({ dtype, data }: TensorPayload): Data {
  if (dtype === 'u8') throw new TypeError('a tensor of bytes was sent where numbers are expected');
  return data;
}
