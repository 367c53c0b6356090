/**
 * The time of a program on the WebGPU device as a training step has it: many runs are submitted, and one word is read at the
 * end. What it takes to submit a run is in it, and what it takes to read hardly: a batch lasts long.
 */
import { allocate, type Data } from '../../src/kernels/dtype.ts';
import type { Slice, Tensor } from '../../src/kernels/device.ts';
import type { Program } from '../../src/kernels/program.ts';
import { draw } from '../../src/kernels/random.ts';
import { elements } from '../../src/kernels/shape.ts';
import { nameBeside } from '../../src/kernels/side_by_side.ts';
import type { Type } from '../../src/kernels/type.ts';
import type { WebGpuDevice } from '../../src/kernels/webgpu/device.ts';
import { median } from '../report.ts';
import type { Fill, KernelCase } from './kernel_case.ts';

/** The device's own memory is what limits it. */
export const DEVICE_BYTES = 2 ** 36;
const BATCHES = 5;
/** A batch of a GPU lasts as long at least, unless it would take more runs than `MOST_RUNS`. */
const BATCH_MS = 60;
const MOST_RUNS = 2000;
/** Elements that are made; more are the same again. */
const PATTERN = 2 ** 20;

export const timing = (isSoftware: boolean): string =>
  isSoftware
    ? `median of ${BATCHES} runs, a word read after each`
    : `median of ${BATCHES} batches of ${BATCH_MS} ms or more (${MOST_RUNS} runs at most), a word read at the end of each`;

/** Milliseconds of a run. Rejects with what the device says of the program. */
export async function msOf(
  device: WebGpuDevice,
  { program, live, fill }: KernelCase,
  isSoftware: boolean,
): Promise<number> {
  const slices = slicesFor(program, device);
  try {
    const tensors = tensorsOf(program, device, slices, fill);
    const executable = await device.compile(program);
    const written = program.outputs[0] ?? program.inputs.find(({ role }) => role === 'state');
    const batch = async (runs: number): Promise<number> => {
      const startMs = performance.now();
      const submitted = Array.from({ length: runs }, () => executable.run(tensors, live));
      await Promise.all(submitted);
      await device.read(tensors[written.name], 1);
      return performance.now() - startMs;
    };
    await batch(2);
    const runs = isSoftware ? 1 : await runsOf(batch);
    const times: number[] = [];
    for (let i = 0; i < BATCHES; i++) times.push((await batch(runs)) / runs);
    return median(times);
  } finally {
    slices.forEach((slice) => slice.release());
  }
}

/** How many runs make a batch: found twice, since the first, short one is mostly its read. */
async function runsOf(batch: (runs: number) => Promise<number>): Promise<number> {
  let runs = 1;
  for (let i = 0; i < 2; i++) {
    const ms = await batch(runs);
    runs = Math.min(MOST_RUNS, Math.max(1, Math.ceil((runs * BATCH_MS) / ms)));
  }
  return runs;
}

/** One, or one for each of the copies of what is run side by side, as experts have them. */
function slicesFor({ name, copies }: Program, device: WebGpuDevice): Slice[] {
  if (copies === undefined) return [device.slice('bench', DEVICE_BYTES)];
  const { count } = copies;
  return Array.from({ length: count }, (_, at) => device.slice('bench', DEVICE_BYTES, { bank: name, count, at }));
}

function tensorsOf(
  { inputs, outputs, copies }: Program,
  device: WebGpuDevice,
  slices: readonly Slice[],
  fill: Fill,
): Record<string, Tensor> {
  const place = (slice: Slice, name: string, { dtype, shape }: Type): Tensor =>
    slice.tensor(
      name,
      dtype,
      shape.map((dim) => (typeof dim === 'number' ? dim : dim.max)),
    );
  const one = copies?.of ?? { inputs, outputs };
  const tensors = Object.fromEntries(
    slices.flatMap((slice, i) =>
      [...one.inputs, ...one.outputs].map(({ name, value }) => [
        copies === undefined ? name : nameBeside(name, i),
        place(slice, name, value.type),
      ]),
    ),
  );
  inputs.forEach(({ name }, at) => {
    const tensor = tensors[name];
    const count = elements(tensor.shape);
    const data = patternOf(tensor, Math.min(count, PATTERN), fill[name] ?? noise(at));
    for (let from = 0; from < count; from += data.length) {
      device.write(tensor, data.subarray(0, count - from), from);
    }
  });
  return tensors;
}

function patternOf({ dtype }: Tensor, length: number, value: (i: number) => number): Data {
  const data = allocate(dtype, length);
  for (let i = 0; i < length; i++) data[i] = value(i);
  return data;
}

/** A GPU is faster on zeros than on numbers. */
const noise =
  (stream: number) =>
  (i: number): number =>
    draw(stream, 1, i) / 2 ** 31 - 1;
