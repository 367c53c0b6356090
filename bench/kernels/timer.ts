/**
 * The time of a program on the WebGPU device as a training step has it: many runs are submitted, and one word is read at the
 * end. What it takes to submit a run is in it, and what it takes to read hardly: a batch lasts long.
 */
import { allocate, type Data } from '../../src/kernels/dtype.ts';
import type { Slice, Tensor } from '../../src/kernels/device.ts';
import { groupProgram } from '../../src/kernels/group_program.ts';
import type { Program } from '../../src/kernels/program.ts';
import { draw } from '../../src/kernels/random.ts';
import { elements, type Dim } from '../../src/kernels/shape.ts';
import type { WebGpuDevice } from '../../src/kernels/webgpu/device.ts';
import { median } from '../report.ts';
import type { KernelCase } from './kernel_case.ts';

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
export async function msOf(device: WebGpuDevice, each: KernelCase, isSoftware: boolean): Promise<number> {
  const slices: Slice[] = [];
  try {
    const { run, written } = await (each.group === undefined ? runOf : groupRunOf)(device, each, slices);
    const batch = async (runs: number): Promise<number> => {
      const startMs = performance.now();
      await Promise.all(Array.from({ length: runs }, run));
      await device.read(written, 1);
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

interface Run {
  readonly run: () => Promise<void>;
  /** A tensor that it writes. */
  readonly written: Tensor;
}

/** Slices that are taken go to `slices`. */
async function runOf(device: WebGpuDevice, { program, live, fill }: KernelCase, slices: Slice[]): Promise<Run> {
  const { inputs, outputs } = program;
  const slice = device.slice('bench', DEVICE_BYTES);
  slices.push(slice);
  const tensors = tensorsOf(slice, [...inputs, ...outputs]);
  inputs.forEach(({ name }, at) => filled(device, tensors[name], fill[name] ?? noise(at)));
  const executable = await device.compile(program);
  const written = outputs[0] ?? inputs.find(({ role }) => role === 'state');
  return { run: () => executable.run(tensors, live), written: tensors[written.name] };
}

/** The same over a slab, and over the weights of each owner in a bank. */
async function groupRunOf(device: WebGpuDevice, { program, group, fill }: KernelCase, slices: Slice[]): Promise<Run> {
  const size = group!;
  const { slab, own } = groupProgram(program, size);
  const ofSlab = device.slice('bench', DEVICE_BYTES);
  slices.push(ofSlab);
  const rows = tensorsOf(ofSlab, slab, size.rows);
  const owners = Array.from({ length: size.count }, (_, at) => {
    const slice = device.slice('bench', DEVICE_BYTES, { bank: program.name, count: size.count, at });
    slices.push(slice);
    return tensorsOf(slice, own);
  });
  program.inputs.forEach(({ name }, at) => {
    for (const { [name]: tensor } of [rows, ...owners]) {
      if ((tensor as Tensor | undefined) !== undefined) filled(device, tensor, fill[name] ?? noise(at));
    }
  });
  const executable = await device.compileGroup(program, size);
  const given = { slab: rows, own: (owner: number) => owners[owner], rows: owners.map(() => size.each) };
  const [{ name }] = program.outputs;
  return { run: () => executable.run(given), written: { ...rows, ...owners[0] }[name] };
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

/** As large as can be; `rows` where the first dimension is dynamic and the tensor is a slab's. */
function tensorsOf(slice: Slice, bindings: Program['outputs'], rows?: number): Record<string, Tensor> {
  const sizeOf = (dim: Dim): number => (typeof dim === 'number' ? dim : (rows ?? dim.max));
  return Object.fromEntries(
    bindings.map(({ name, value: { type } }) => [name, slice.tensor(name, type.dtype, type.shape.map(sizeOf))]),
  );
}

function filled(device: WebGpuDevice, tensor: Tensor, value: (i: number) => number): void {
  const count = elements(tensor.shape);
  const data = patternOf(tensor, Math.min(count, PATTERN), value);
  for (let from = 0; from < count; from += data.length) device.write(tensor, data.subarray(0, count - from), from);
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
