/**
 * A pass is one run of microbatches through the model, of one kind: to train on them, to score them, to observe what happens
 * inside, or to continue a text. Everything sent for a microbatch names its pass, so that contexts are found by what they are
 * and never by who came first.
 */
import { z } from 'zod';
import type { Data } from '../../kernels/dtype.ts';
import type { TensorPayload } from '../../runtime/index.ts';

/** Only `train` ends with a vote; all others end with a report and change nothing. */
export const passKinds = ['train', 'score', 'observe', 'decode'] as const;
export type PassKind = (typeof passKinds)[number];

/** `data` names what the microbatches are of: training data, or an evaluation's. `step` is the data step. */
export const passSchema = z.object({ kind: z.enum(passKinds), data: z.string(), step: z.int() });
export type Pass = z.infer<typeof passSchema>;

/** One microbatch of one pass; `microbatch` is its global index. */
export const unitSchema = passSchema.extend({ microbatch: z.int() });
export type Unit = z.infer<typeof unitSchema>;

/** What a training step trains on. */
export const trainingData = 'training';

/** A step's pass over the training data. */
export const trainingPass = (step: number): Pass => ({ kind: 'train', data: trainingData, step });

export const keyOf = ({ kind, data, step, microbatch }: Unit): string => `${kind}/${data}/${step}/${microbatch}`;

export const isSamePass = (a: Pass, b: Pass): boolean => a.kind === b.kind && a.data === b.data && a.step === b.step;

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
