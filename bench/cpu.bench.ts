/**
 * What generated code is worth on the cpu device, one thread: the optimizer against the machine's memory, the selective scan
 * against PyTorch, and the rest of a training step against onnxruntime's ops for the same.
 *
 * `PYTHON` names the Python that has PyTorch; without one the scan stands alone.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { adamw, f32, selectiveScan, state, trace, vjp, weight } from '../src/kernels/index.ts';
import { timeProgram } from './device_program.ts';
import { pairs, timePeer } from './onnx_peers.ts';
import { machine, median } from './report.ts';

const OPTIMIZED = 10_000_000;
const [TOKENS, CHANNELS, STATES] = [256, 512, 16];

export async function run(): Promise<void> {
  console.log(`cpu: ${machine()}, one thread, medians`);
  await optimizer();
  await scan();
  for (const pair of pairs) {
    const [ours, theirs] = [await timeProgram(pair.program, pair.fill), await timePeer(pair)];
    console.log(
      `  ${pair.name}: ${ours.toFixed(3)} ms, onnxruntime ${theirs.toFixed(3)} ms, ${(theirs / ours).toFixed(2)} x`,
    );
  }
}

async function optimizer(): Promise<void> {
  const inputs = {
    p: state([OPTIMIZED]),
    m: state([OPTIMIZED]),
    v: state([OPTIMIZED]),
    g: f32([OPTIMIZED]),
    h: f32([8]),
  };
  const program = trace('adamw', inputs, ({ p, m, v, g, h }) => {
    adamw(p, m, v, g, h);
    return {};
  });
  const ms = await timeProgram(program, { m: () => 0.01, v: () => 0.01, h: () => 0.1 });
  // Parameters and both moments are read and written, the gradient is read.
  const rate = (7 * 4 * OPTIMIZED) / ms / 1e6;
  console.log(
    `  AdamW, 10 M parameters: ${ms.toFixed(1)} ms, ${rate.toFixed(1)} GB/s; a copy ${copyRate().toFixed(1)} GB/s`,
  );
}

/** Bytes read and written by a copy of as much memory, GB/s. */
function copyRate(): number {
  const [from, to] = [new Float32Array(4 * OPTIMIZED), new Float32Array(4 * OPTIMIZED)];
  const times = Array.from({ length: 9 }, () => {
    const startMs = performance.now();
    to.set(from);
    return performance.now() - startMs;
  });
  return (2 * from.byteLength) / median(times) / 1e6;
}

async function scan(): Promise<void> {
  const tokens = (width: number) => f32([1, TOKENS, width]);
  const inputs = {
    ...{ u: tokens(CHANNELS), delta: tokens(CHANNELS), a: weight([CHANNELS, STATES]) },
    ...{ b: tokens(STATES), c: tokens(STATES), d: weight([CHANNELS]) },
  };
  const { forward, backward } = vjp(
    trace('scan', inputs, ({ u, delta, a, b, c, d }) => ({ y: selectiveScan({ u, delta, a, b, c, d }) })),
  );
  const fill = { delta: (i: number) => 0.01 + 0.1 * Math.abs(Math.sin(i)), a: (i: number) => -1 - (i % STATES) };
  const forwardMs = await timeProgram(forward, fill);
  const bothMs = forwardMs + (await timeProgram(backward, fill));
  const shape = `T ${TOKENS} x C ${CHANNELS} x N ${STATES}`;
  console.log(`  selective scan ${shape}: forward ${forwardMs.toFixed(2)} ms, and backward ${bothMs.toFixed(2)} ms`);
  const script = fileURLToPath(new URL('peers/torch_scan.py', import.meta.url));
  const { status, stdout } = spawnSync(process.env.PYTHON ?? 'python3', [
    script,
    `${TOKENS}`,
    `${CHANNELS}`,
    `${STATES}`,
  ]);
  if (status !== 0) return console.log('    no PyTorch to compare with: PYTHON names a python3 that has torch');
  const torch = z
    .object({ torch: z.string(), forward_ms: z.number(), both_ms: z.number() })
    .parse(JSON.parse(stdout.toString()));
  console.log(
    `    torch ${torch.torch}, unbind: ${torch.forward_ms.toFixed(2)} and ${torch.both_ms.toFixed(2)} ms, ` +
      `${(torch.forward_ms / forwardMs).toFixed(2)} and ${(torch.both_ms / bothMs).toFixed(2)} x`,
  );
}
