/** How fast an adapter is: a product of two matrices, and a copy of a buffer, each again and again over the same memory. */
import type { Tensor } from '../../kernels/device.ts';
import { matmul } from '../../kernels/ops/matmul.ts';
import type { Program } from '../../kernels/program.ts';
import { f32, trace } from '../../kernels/trace.ts';
import type { OpenAdapter } from '../../kernels/webgpu/adapters.ts';
import { WebGpuDevice } from '../../kernels/webgpu/device.ts';
import { median } from '../figures.ts';
import type { GpuRates } from './gpu_answer.ts';

/** Small enough for a driver that computes on the processor, large enough to fill a GPU. */
const sizes = { software: { side: 256, floats: 2 ** 21 }, gpu: { side: 1024, floats: 2 ** 24 } };
/** Submitted together, with one read at the end. */
const batchMs = { software: 20, gpu: 100 };
const batches = 3;
const mostRuns = 1000;

/** Opens the device of the adapter, of which there can be one. Throws what the device throws. */
export async function ratesOf(opened: OpenAdapter): Promise<GpuRates> {
  const kind = opened.isSoftware ? 'software' : 'gpu';
  const { side, floats } = sizes[kind];
  const device = await WebGpuDevice.over(opened, { bytes: 2 ** 28 });
  try {
    const square = f32([side, side]);
    const product = trace('product', { a: square, b: square }, ({ a, b }) => ({ y: matmul(a, b) }));
    // An output that is an input is copied; no shader runs.
    const copy = trace('copy', { a: f32([floats]) }, ({ a }) => ({ y: a }));
    const productMs = await msOf(device, product, batchMs[kind]);
    const copyMs = await msOf(device, copy, batchMs[kind]);
    // A copy reads and writes.
    return { gflops: (2 * side ** 3) / productMs / 1e6, copy_gb_per_s: (2 * 4 * floats) / copyMs / 1e6 };
  } finally {
    await device.close();
  }
}

/** Milliseconds of a run. */
async function msOf(device: WebGpuDevice, program: Program, atLeastMs: number): Promise<number> {
  const slice = device.slice('doctor', 2 ** 28);
  const tensors: Record<string, Tensor> = {};
  for (const { name, value } of [...program.inputs, ...program.outputs]) {
    tensors[name] = slice.tensor(name, 'f32', value.type.shape.map(Number));
  }
  // A GPU is faster on zeros than on numbers.
  for (const { name } of program.inputs) {
    const count = tensors[name].bytes / 4;
    device.write(
      tensors[name],
      Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5),
    );
  }
  const executable = await device.compile(program);
  const batch = async (runs: number): Promise<number> => {
    const startMs = performance.now();
    await Promise.all(Array.from({ length: runs }, () => executable.run(tensors)));
    await device.read(tensors.y, 1);
    return performance.now() - startMs;
  };
  await batch(2);
  let runs = 1;
  // The first batch is mostly its read.
  for (let i = 0; i < 2; i++) runs = Math.min(mostRuns, Math.ceil((runs * atLeastMs) / (await batch(runs))));
  const times: number[] = [];
  for (let i = 0; i < batches; i++) times.push((await batch(runs)) / runs);
  slice.release();
  return median(times);
}
