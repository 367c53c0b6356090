/** A PyTorch peer is a script below `peers/` that trains and prints what it reached, as JSON. `PYTHON` names a python3 that has torch. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { watchPeak } from './peak_memory.ts';

/** Steps that a peer leaves out of its medians, at the beginning. */
export const LEFT_OUT = 2;

const resultSchema = z.object({
  peer: z.string(),
  blas: z.string(),
  params: z.number(),
  tokens_per_s: z.number(),
  cpu_per_wall: z.number(),
});

/** What a peer printed, and the most memory that it took. */
export type TorchPlayed = z.output<typeof resultSchema> & { readonly peakMiB: number };

export interface TorchCall {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads on standard input; default: nothing. */
  readonly input?: string;
}

/** Rejects where the peer fails. */
export async function playTorch(script: string, { args = [], env = {}, input = '' }: TorchCall): Promise<TorchPlayed> {
  const path = fileURLToPath(new URL(`./peers/${script}`, import.meta.url));
  const child = spawn(process.env.PYTHON ?? 'python3', [path, ...args], {
    env: { ...process.env, PYTHONWARNINGS: 'ignore', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const endWatch = watchPeak(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(endWatch);
  if (code !== 0) throw new Error(`${path}: ended with ${code ?? 'a signal'}; PYTHON names a python3 that has torch`);
  return { ...resultSchema.parse(JSON.parse(Buffer.concat(chunks).toString())), peakMiB: endWatch() };
}
