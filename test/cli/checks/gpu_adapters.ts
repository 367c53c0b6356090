/** Adapters as the probe of GPUs answers them. */
import type { GpuAdapter } from '../../../src/cli/checks/gpu_answer.ts';

const limits = {
  maxBufferSize: 2 ** 32,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxComputeWorkgroupStorageSize: 49_152,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxStorageBuffersPerShaderStage: 16,
};
export const fast: GpuAdapter = {
  index: 0,
  backend: 'vulkan',
  name: 'Fast 1',
  type: 'gpu',
  vendor: 'fast',
  architecture: 'one',
  driver: 'Fast: 1.2',
  features: ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix', 'timestamp-query'],
  subgroup_matrices: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
  limits,
  rates: null,
  failure: null,
};
/** Without what makes it fast. */
export const plain: GpuAdapter = { ...fast, index: 1, name: 'Plain 2', features: ['subgroups'], subgroup_matrices: [] };
/** It computes on the processor. */
export const slow: GpuAdapter = {
  ...fast,
  index: 2,
  name: 'llvmpipe',
  type: 'software',
  features: ['shader-f16'],
  subgroup_matrices: [],
};
