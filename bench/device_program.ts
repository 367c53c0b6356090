/** A program, or a graph of onnxruntime, timed alone on the cpu device, over the same kind of tensors. */
import { OnnxGraph, type NamedType } from '../src/kernels/cpu/onnx_graph.ts';
import { createSession } from '../src/kernels/cpu/session.ts';
import { cpuTensor } from '../src/kernels/cpu/tensor.ts';
import { allocate } from '../src/kernels/dtype.ts';
import { CpuDevice, type Program, type Tensor } from '../src/kernels/index.ts';
import { elements } from '../src/kernels/shape.ts';
import { median } from './report.ts';

/** What inputs hold, by name; others hold floats between −1 and 1. */
export type Fill = Readonly<Record<string, (i: number) => number>>;

const RUNS = 41;
const BYTES = 2 ** 30;

/** Median milliseconds of a run. */
export async function timeProgram(program: Program, fill: Fill = {}): Promise<number> {
  return await onDevice(program.inputs.map(typed), program.outputs.map(typed), fill, async (device, tensors) => {
    const executable = await device.compile(program);
    return () => executable.run(tensors);
  });
}

/** Median milliseconds of a run of the graph that `build` makes of the inputs' names: its results, in order. */
export async function timeGraph(
  inputs: readonly NamedType[],
  outputs: readonly NamedType[],
  build: (graph: OnnxGraph) => readonly string[],
  fill: Fill = {},
): Promise<number> {
  return await onDevice(inputs, outputs, fill, async (_, tensors) => {
    const graph = new OnnxGraph();
    const made = build(graph).map((name, i) => ({ name, type: outputs[i].type, tensor: tensors[outputs[i].name] }));
    const session = await createSession(graph.model('peer', inputs, made));
    const given = inputs.map((input) => ({ ...input, tensor: tensors[input.name] }));
    const bound = (list: readonly (NamedType & { readonly tensor: Tensor })[]) =>
      Object.fromEntries(
        list.map(({ name, type, tensor }) => [name, cpuTensor('peer', name, tensor).ort(sizes(type))]),
      );
    return () => session.run(bound(given), bound(made));
  });
}

async function onDevice(
  inputs: readonly NamedType[],
  outputs: readonly NamedType[],
  fill: Fill,
  prepare: (device: CpuDevice, tensors: Record<string, Tensor>) => Promise<() => Promise<void>>,
): Promise<number> {
  const device = new CpuDevice({ bytes: BYTES });
  const slice = device.slice('bench', BYTES);
  const tensors = Object.fromEntries(
    [...inputs, ...outputs].map(({ name, type }) => [name, slice.tensor(name, type.dtype, sizes(type))]),
  );
  for (const { name } of inputs) {
    const tensor = tensors[name];
    const data = allocate(tensor.dtype, elements(tensor.shape));
    const value = fill[name] ?? Math.sin;
    for (let i = 0; i < data.length; i++) data[i] = value(i);
    device.write(tensor, data);
  }
  const run = await prepare(device, tensors);
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const startMs = performance.now();
    await run();
    times.push(performance.now() - startMs);
  }
  await device.close();
  return median(times.slice(5));
}

/** What a program's input or output is for a graph. */
export const typed = ({ name, value }: Program['outputs'][number]): NamedType => ({ name, type: value.type });
const sizes = ({ shape }: NamedType['type']): number[] => shape.map(Number);
