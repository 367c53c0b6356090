/**
 * The peak of products on this machine: fp32 products of 1,024 by 1,024 by 1,024 on the cpu device, in as many processes at once as a run
 * has workers; what `MFU` is a share of. Run by itself it is one of those processes, and prints its own.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as k from '../src/kernels/index.ts';
import { timeProgram } from './device_program.ts';

const N = 1024;

/** GFLOP/s of `processes` at once, added up. */
export async function productPeak(processes: number): Promise<number> {
  const path = fileURLToPath(import.meta.url);
  const each = Array.from({ length: processes }, async () => {
    const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${path} ended with ${code ?? 'a signal'}`);
    return Number(Buffer.concat(chunks).toString());
  });
  return (await Promise.all(each)).reduce((sum, one) => sum + one, 0);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const square = k.f32([N, N]);
  const product = k.trace('product', { a: square, b: square }, ({ a, b }) => ({ y: k.matmul(a, b) }));
  console.log((2 * N ** 3) / 1e6 / (await timeProgram(product)));
}
