/** What a benchmark multiplies in: a word of the command line, and what it asks of the adapter. */
import type { Precision } from '../../src/kernels/precision.ts';
import type { OpenAdapter } from '../../src/kernels/webgpu/adapters.ts';

/** By the word of `--dtype`, that of `training.precision`. */
export const precisions = { f32: 'fp32', f16: 'fp16', bf16: 'bf16' } as const satisfies Record<Precision, string>;

const isPrecision = (word: string): word is Precision => word in precisions;

/** `word` as the adapter has it; or, in one line, why not. */
export function dtypeOf(
  word: string,
  { name, adapter: { features } }: OpenAdapter,
): { readonly dtype: Precision } | { readonly refusal: string } {
  if (!isPrecision(word)) return { refusal: `--dtype ${word}: allowed: ${Object.keys(precisions).join(', ')}` };
  if (word === 'f16' && !features.has('shader-f16'))
    return { refusal: `--dtype f16: ${name} lacks shader-f16; take another adapter with --device, or --dtype bf16` };
  return { dtype: word };
}

/** What is measured, for a reader who knows PyTorch; null where it goes without saying. */
export function caveatOf(dtype: Precision): string | null {
  if (dtype === 'f32') return null;
  const units = dtype === 'f16' ? 'multiplied on matrix units where there are some' : 'multiplied in fp32';
  return `${dtype}: operands are fp32 in memory, rounded as they are loaded, and ${units}; sums and results are fp32. PyTorch's are ${dtype} in memory`;
}
