/**
 * Which GPUs does WebGPU see? None is required. Where there is none, Dawn's own complaint tells a machine without Vulkan
 * from one with a driver that is too old.
 */
import { z } from 'zod';
import type { Finding } from './finding.ts';
import { ask, probeProgram, type Answer } from './probe.ts';

const limitMs = 20_000;

const answerSchema = z.strictObject({
  adapters: z.array(
    z.strictObject({
      backend: z.string(),
      name: z.string(),
      /** `software` computes on the processor: right, and slow. */
      type: z.enum(['gpu', 'software']),
      vendor: z.string(),
      architecture: z.string(),
    }),
  ),
});
export type GpuAnswer = z.infer<typeof answerSchema>;

export async function checkGpu(): Promise<Finding> {
  return judgeGpu(await askGpus(), process.platform);
}

/** What WebGPU can use here. Never rejects. */
export function askGpus(): Promise<Answer<GpuAnswer>> {
  return ask({ program: probeProgram('gpu_probe'), schema: answerSchema, limitMs });
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
  const found = adapters.map(({ backend, name, type }) => `${name} (${backend}, ${type})`).join('; ');
  return { check: 'gpu', mark: 'ok', found, mend: null, facts };
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
