/**
 * The PyTorch peer of a config: `peers/torch_families.py`, which gets the model's config and trains the same sizes on as many
 * tokens a step. `PYTHON` names a python3 that has torch.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { ModelConfig } from '../src/models/config.ts';

/** Steps that the peer leaves out, at the beginning. */
const LEFT_OUT = 2;

const resultSchema = z.object({
  peer: z.string(),
  blas: z.string(),
  params: z.number(),
  tokens_per_s: z.number(),
  cpu_per_wall: z.number(),
});
export type TorchFamily = z.output<typeof resultSchema>;

export interface TorchBatch {
  readonly threads: number;
  /** Sequences of a microbatch, tokens of each, and microbatches of a step. */
  readonly batch: number;
  readonly sequence: number;
  readonly microbatches: number;
}

/** The median of `steps` measured steps. Rejects where the peer fails. */
export async function torchFamily(config: ModelConfig, given: TorchBatch, steps: number): Promise<TorchFamily> {
  const path = fileURLToPath(new URL('./peers/torch_families.py', import.meta.url));
  const child = spawn(process.env.PYTHON ?? 'python3', [path], {
    env: { ...process.env, PYTHONWARNINGS: 'ignore' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ config, ...given, steps: steps + LEFT_OUT }));
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${path}: ended with ${code ?? 'a signal'}; PYTHON names a python3 that has torch`);
  return resultSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
}
