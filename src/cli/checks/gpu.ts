/**
 * Which GPUs does WebGPU see, and how fast are they? None is required. Where there is none, Dawn's own complaint tells a machine without Vulkan
 * from one with a driver that is too old.
 */
import type { Finding } from './finding.ts';
import { gpuAnswerSchema, type GpuAdapter, type GpuAnswer } from './gpu_answer.ts';
import { ask, probeProgram, type Answer } from './probe.ts';

const question = { program: probeProgram('gpu_probe'), schema: gpuAnswerSchema, limitMs: 20_000 };

export async function checkGpu(): Promise<Finding> {
  const measured = await ask({ ...question, args: ['measure'] });
  if (measured.kind === 'answered') return judgeGpu(measured, process.platform);
  return judgeGpu(withFailure(await askGpus(), measured.reason), process.platform);
}

/** What WebGPU can use here, without its rates. Never rejects. */
export function askGpus(): Promise<Answer<GpuAnswer>> {
  return ask(question);
}

/** Adapters that can be opened, and whose driver did not survive to compute. */
export function withFailure(listed: Answer<GpuAnswer>, failure: string): Answer<GpuAnswer> {
  if (listed.kind === 'failed') return listed;
  return { ...listed, value: { adapters: listed.value.adapters.map((adapter) => ({ ...adapter, failure })) } };
}

export function judgeGpu(answer: Answer<GpuAnswer>, platform: NodeJS.Platform): Finding {
  const adapters = answer.kind === 'answered' ? answer.value.adapters : [];
  const facts = { adapters: adapters.map((adapter) => ({ ...adapter })) };
  if (answer.kind === 'failed') {
    const reason = answer.reason.replace(/^webgpu: /, '');
    const found = `WebGPU cannot be used: ${reason}; not required`;
    return { check: 'gpu', mark: 'warn', found, mend: driverHint(platform, answer.noise), facts };
  }
  if (adapters.length === 0) {
    const refused = refusalOf(answer.noise);
    const found = refused === null ? 'none; not required' : `none that can be used (${refused}); not required`;
    return { check: 'gpu', mark: 'warn', found, mend: driverHint(platform, answer.noise), facts };
  }
  const hasFailed = adapters.some(({ failure }) => failure !== null);
  return {
    check: 'gpu',
    mark: hasFailed ? 'warn' : 'ok',
    found: foundOf(adapters),
    mend: hasFailed ? driverHint(platform, answer.noise) : null,
    facts,
  };
}

/** GPUs first: a driver that computes on the processor is nobody's choice unless it is named. */
function foundOf(adapters: readonly GpuAdapter[]): string {
  const gpus = adapters.filter(({ type }) => type === 'gpu').map(lineOf);
  const software = adapters.filter(({ type }) => type === 'software').map(lineOf);
  if (gpus.length > 0) return [...gpus, ...software].join('; ');
  const only = software.length === 1 ? 'it is used only where it is named' : 'they are used only where they are named';
  return `none; ${software.join('; ')}; ${only}; not required`;
}

function lineOf(adapter: GpuAdapter): string {
  const { index, name, backend, type, features, subgroup_matrices: matrices, rates, failure } = adapter;
  const words = [backend];
  if (type === 'software') words.push('software');
  else {
    if (features.includes('shader-f16')) words.push('f16');
    if (matrices.length > 0) words.push('subgroup matrices');
  }
  const line = `${index}: ${name} (${words.join(', ')})`;
  if (failure !== null) return `${line}, which computes nothing: ${failure}`;
  if (rates === null) return line;
  return `${line}, ${rateOf(rates.gflops, 'FLOP/s')}, ${rateOf(rates.copy_gb_per_s, 'B/s')} copy`;
}

/** `31 TFLOP/s`, `950 GB/s`, `3.4 GB/s`. */
function rateOf(giga: number, unit: string): string {
  const [value, prefix] = giga >= 1000 ? [giga / 1000, 'T'] : [giga, 'G'];
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${prefix}${unit}`;
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
