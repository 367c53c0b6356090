/**
 * Which GPUs does WebGPU see? None is required. Where there is none, Dawn's own complaint tells a machine without Vulkan
 * from one with a driver that is too old.
 */
import type { Finding } from './finding.ts';
import { gpuAnswerSchema, type GpuAdapter, type GpuAnswer } from './gpu_answer.ts';
import { ask, probeProgram, type Answer } from './probe.ts';

const limitMs = 20_000;

export async function checkGpu(): Promise<Finding> {
  return judgeGpu(await askGpus(), process.platform);
}

/** What WebGPU can use here. Never rejects. */
export function askGpus(): Promise<Answer<GpuAnswer>> {
  return ask({ program: probeProgram('gpu_probe'), schema: gpuAnswerSchema, limitMs });
}

export function judgeGpu(answer: Answer<GpuAnswer>, platform: NodeJS.Platform): Finding {
  const adapters = answer.kind === 'answered' ? answer.value.adapters : [];
  const facts = { adapters: adapters.map((adapter) => ({ ...adapter })) };
  if (answer.kind === 'failed') {
    const found = `WebGPU cannot be used: ${answer.reason}; not required`;
    return { check: 'gpu', mark: 'warn', found, mend: driverHint(platform, answer.noise), facts };
  }
  if (adapters.length === 0) {
    const refused = refusalOf(answer.noise);
    const found = refused === null ? 'none; not required' : `none that can be used (${refused}); not required`;
    return { check: 'gpu', mark: 'warn', found, mend: driverHint(platform, answer.noise), facts };
  }
  return { check: 'gpu', mark: 'ok', found: foundOf(adapters), mend: null, facts };
}

/** GPUs first: a driver that computes on the processor is nobody's choice unless it is named. */
function foundOf(adapters: readonly GpuAdapter[]): string {
  const gpus = adapters.filter(({ type }) => type === 'gpu').map(lineOf);
  const software = adapters.filter(({ type }) => type === 'software').map(lineOf);
  if (gpus.length > 0) return [...gpus, ...software].join('; ');
  const only = software.length === 1 ? 'is used only where it is named' : 'are used only where they are named';
  return `none; ${software.join('; ')} ${only}; not required`;
}

function lineOf({ index, name, backend, type, features, subgroup_matrices: matrices }: GpuAdapter): string {
  const words = [backend];
  if (type === 'software') words.push('software');
  else {
    if (features.includes('shader-f16')) words.push('f16');
    if (matrices.length > 0) words.push('subgroup matrices');
  }
  return `${index}: ${name} (${words.join(', ')})`;
}

/** What a driver lacks, in Dawn's words; null if it has refused none. */
function refusalOf(noise: string): string | null {
  const warnings = noise.matchAll(/^Warning: (.*?)\.?$/gm);
  const refusals = Array.from(warnings, ([, text]) => text).filter((text) => / required\b/.test(text));
  return refusals[0] ?? null;
}

/** How to get a driver. */
function driverHint(platform: NodeJS.Platform, noise: string): string {
  if (platform === 'win32') return "install the GPU maker's driver";
  if (platform === 'darwin') return 'none is needed on a Mac that has a GPU; on another there is none to be had';
  if (refusalOf(noise) !== null) {
    return (
      "a newer driver: NVIDIA's own, or on Debian 12 'apt-get install -t bookworm-backports mesa-vulkan-drivers' " +
      'with backports enabled'
    );
  }
  return (
    "for AMD and Intel run 'apt-get install libvulkan1 mesa-vulkan-drivers'; for NVIDIA 'apt-get install libvulkan1', " +
    "and NVIDIA's driver"
  );
}
