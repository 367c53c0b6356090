/** Does the `cpu` device work, and how fast is one thread of it? Without it nothing can be trained. */
import { z } from 'zod';
import { median } from '../figures.ts';
import type { Finding } from './finding.ts';
import { ask, probeProgram, type Answer } from './probe.ts';

const limitMs = 60_000;

const answerSchema = z.strictObject({
  numericsClass: z.string(),
  correct: z.boolean(),
  /** Of one and the same product. */
  runsMs: z.array(z.number()),
  flops: z.number(),
});
export type CpuAnswer = z.infer<typeof answerSchema>;

export async function checkCpu(): Promise<Finding> {
  return judgeCpu(await ask({ program: probeProgram('cpu_probe'), schema: answerSchema, limitMs }));
}

export function judgeCpu(answer: Answer<CpuAnswer>): Finding {
  if (answer.kind === 'failed') {
    return {
      check: 'cpu',
      mark: 'fail',
      found: `onnxruntime cannot be used: ${answer.reason}`,
      mend:
        "run 'npm install' on this machine; there are libraries for Linux with glibc (x64, arm64), macOS (arm64) and " +
        'Windows (x64, arm64)',
      facts: { numerics_class: null, correct: false, gflops: null },
    };
  }
  const { numericsClass, correct, runsMs, flops } = answer.value;
  const gflops = Math.round(flops / median(runsMs) / 1e6);
  const library = numericsClass.slice(numericsClass.lastIndexOf('/') + 1);
  const facts = { numerics_class: numericsClass, correct, gflops };
  if (correct && !library.endsWith('+wasm')) {
    return {
      check: 'cpu',
      mark: 'warn',
      found: `${library}, ${gflops} GFLOP/s a thread, without generated code: WebAssembly has no SIMD or no threads here`,
      mend: 'start Node.js without --jitless and without flags against WebAssembly, on a processor with SSE 4.1 or NEON',
      facts,
    };
  }
  return {
    check: 'cpu',
    mark: correct ? 'ok' : 'fail',
    found: correct ? `${library}, ${gflops} GFLOP/s a thread` : `${library} multiplies two matrices wrongly`,
    mend: correct ? null : "run 'npm install' anew, or train on another machine: this processor's results are wrong",
    facts,
  };
}
