/** What the probe of GPUs answers: every adapter that WebGPU can use, with what decides how fast it can be. */
import { z } from 'zod';

/** Names of WebGPU. Without the first three a device works, and takes longer. */
export const features = [
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
  'timestamp-query',
] as const;

/** Names of WebGPU; sizes in bytes. */
export const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxStorageBuffersPerShaderStage',
] as const;

const ratesSchema = z.strictObject({
  /** Of a product of two matrices. */
  gflops: z.number(),
  /** Of a copy, bytes read and written. */
  copy_gb_per_s: z.number(),
});
export type GpuRates = z.infer<typeof ratesSchema>;

export const gpuAdapterSchema = z.strictObject({
  /** By which it can be named. */
  index: z.int(),
  backend: z.string(),
  name: z.string(),
  /** `software` computes on the processor: right, and slow. */
  type: z.enum(['gpu', 'software']),
  vendor: z.string(),
  architecture: z.string(),
  /** The driver and its version, in its own words. */
  driver: z.string(),
  features: z.array(z.enum(features)),
  /** Sizes and types that its matrix units take, in the words of Dawn. */
  subgroup_matrices: z.array(z.record(z.string(), z.union([z.string(), z.number()]))),
  limits: z.record(z.string(), z.number()),
  /** Null where they were not asked for, or could not be measured. */
  rates: ratesSchema.nullable(),
  /** Why they could not be measured. */
  failure: z.string().nullable(),
});
export type GpuAdapter = z.infer<typeof gpuAdapterSchema>;

export const gpuAnswerSchema = z.strictObject({ adapters: z.array(gpuAdapterSchema) });
export type GpuAnswer = z.infer<typeof gpuAnswerSchema>;
