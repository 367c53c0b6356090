/** The same operations in PyTorch with CUDA, where a Python has that: `PYTHON` names one other than python3. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { KernelCase } from './kernel_case.ts';

const limitMs = 150_000;
const script = fileURLToPath(new URL('../peers/torch_kernels.py', import.meta.url));
const python = process.env.PYTHON ?? 'python3';

const ms = z.number().nullable();
const answerSchema = z.object({
  torch: z.string(),
  gpu: z.string(),
  kernels: z.record(z.string(), z.object({ f32: ms, f16: ms })),
});
export type TorchTimes = z.output<typeof answerSchema>['kernels'][string];

export interface TorchPeer {
  /** Its version and its GPU; or why there is none. */
  readonly found: string;
  /** By `nameOf` the case. Empty where there is no peer. */
  readonly times: Readonly<Record<string, TorchTimes>>;
}

export const nameOf = ({ name, shape }: Pick<KernelCase, 'name' | 'shape'>): string => `${name}, ${shape}`;

export function timeInTorch(cases: readonly KernelCase[], device = process.env.TORCH_DEVICE ?? 'cuda'): TorchPeer {
  const calls = cases.flatMap((each) => (each.peer === null ? [] : [{ name: nameOf(each), ...each.peer }]));
  const { status, stdout, stderr, error } = spawnSync(python, [script, '--device', device], {
    input: JSON.stringify(calls),
    encoding: 'utf8',
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  if (status !== 0) {
    const why = error?.message ?? stderr.trimEnd().split('\n').at(-1) ?? '';
    return { found: `no PyTorch with CUDA to compare with (${python}: ${why}); PYTHON names another`, times: {} };
  }
  process.stderr.write(stderr);
  const { torch, gpu, kernels } = answerSchema.parse(JSON.parse(stdout));
  return { found: `torch ${torch} on ${gpu}, TF32 off`, times: kernels };
}
