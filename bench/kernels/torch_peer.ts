/** The same operations in PyTorch with CUDA, where a Python has that: `PYTHON` names one other than python3. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Precision } from '../../src/kernels/precision.ts';
import type { KernelCase } from './kernel_case.ts';

const limitMs = 75_000;
const script = fileURLToPath(new URL('../peers/torch_kernels.py', import.meta.url));
const python = process.env.PYTHON ?? 'python3';

const answerSchema = z.object({
  torch: z.string(),
  gpu: z.string(),
  /** Milliseconds; null where it failed. */
  kernels: z.record(z.string(), z.number().nullable()),
});

export interface TorchPeer {
  /** Its version and its GPU; or why there is none. */
  readonly found: string;
  /** Milliseconds by `nameOf` the case. Empty where there is no peer. */
  readonly times: Readonly<Record<string, number | null>>;
}

export const nameOf = ({ name, shape }: Pick<KernelCase, 'name' | 'shape'>): string => `${name}, ${shape}`;

/** All in one dtype: operands, and what is kept in memory. */
export function timeInTorch(
  cases: readonly KernelCase[],
  dtype: Precision,
  device = process.env.TORCH_DEVICE ?? 'cuda',
): TorchPeer {
  const calls = cases.flatMap((each) => (each.peer === null ? [] : [{ name: nameOf(each), ...each.peer }]));
  const { status, stdout, stderr, error } = spawnSync(python, [script, '--device', device, '--dtype', dtype], {
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
  return { found: `torch ${torch} on ${gpu}, ${dtype === 'f32' ? 'TF32 off' : dtype}`, times: kernels };
}
