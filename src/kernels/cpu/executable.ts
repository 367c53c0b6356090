/**
 * A compiled program of the CPU device: segments over one plan of scratch memory. Fewer than two rows run as two in
 * onnxruntime, those beyond the live ones zero: a matmul of one row sums in another order than the same row among many, and
 * some ONNX ops crash on empty tensors.
 */
import type { JobQueue } from './job_queue.ts';
import type { Bindings, Executable, RunTimes } from '../device.ts';
import { allocate } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import type { Node, Value } from '../graph.ts';
import type { Program } from '../program.ts';
import { elements, resolve, type LiveSizes } from '../shape.ts';
import type { Operand } from '../type.ts';
import type { ScratchPlan } from './scratch.ts';
import type { OnnxSegment, RunnableSegment, WasmSegment } from './segments.ts';
import { cpuTensor, type CpuTensor } from './tensor.ts';

/** Where a running program finds the memory of its intermediates. */
export type ScratchTensors = (plan: ScratchPlan) => ReadonlyMap<Value, CpuTensor>;

export class CpuExecutable implements Executable {
  readonly program: Program;
  readonly scratchBytes: number;
  readonly times: RunTimes = { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 };
  private readonly segments: readonly RunnableSegment[];
  private readonly plan: ScratchPlan;
  private readonly scratch: ScratchTensors;
  private readonly queue: JobQueue;

  constructor(
    program: Program,
    segments: readonly RunnableSegment[],
    plan: ScratchPlan,
    scratch: ScratchTensors,
    queue: JobQueue,
  ) {
    this.program = program;
    this.segments = segments;
    this.plan = plan;
    this.scratch = scratch;
    this.queue = queue;
    this.scratchBytes = plan.bytes;
    checkDynamicDims(program);
  }

  run(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return this.queue.do(() => this.runNow(bindings, live));
  }

  runLater(bindings: Bindings, live: LiveSizes = {}): Promise<void> {
    return this.queue.doLater(() => this.runNow(bindings, live));
  }

  /** Runs within a turn of the queue that the caller has. */
  async runNow(bindings: Bindings, live: LiveSizes): Promise<void> {
    const { bound, copies } = this.bind(bindings, live);
    const sizes = Object.values(live);
    if (sizes.length > 0 && sizes.every((n) => n === 0)) {
      this.runEmpty(bound, live);
      copy(copies, live);
      return;
    }
    const scratch = this.scratch(this.plan);
    const tensor = (value: Value): CpuTensor => bound.get(value) ?? scratch.get(value)!;
    const isShort = sizes.some((n) => n < 2);
    const padded = isShort ? Object.fromEntries(Object.entries(live).map(([name, n]) => [name, Math.max(n, 2)])) : live;
    if (isShort) for (const { value } of this.program.inputs) clearPadding(tensor(value), value, live, padded);
    this.times.runs++;
    const run: Run = { tensor, live, padded };
    let startMs = performance.now();
    for (const segment of this.segments) {
      if (segment.kind === 'onnx') await runOnnx(segment, run);
      else if (segment.kind === 'wasm') runWasm(this.program, segment, run);
      else segment.nodes.forEach((node) => runHost(node, run));
      if (isShort && segment.kind !== 'onnx') clearMade(segment.nodes, run);
      const endMs = performance.now();
      this.times[clockOf[segment.kind]] += endMs - startMs;
      startMs = endMs;
    }
    copy(copies, live);
  }

  /**
   * The tensors of inputs and outputs, and what is to be copied at the end: an output that is an input too, or an output
   * twice (the gradient of an addition, for one). Throws `ProgramError` when an output would overwrite an input, or a tensor
   * is of another type or too small, and `ShapeError` for live sizes that are missing or too large: generated code looks at
   * neither.
   */
  private bind(bindings: Bindings, live: LiveSizes): { bound: Map<Value, CpuTensor>; copies: Copy[] } {
    const { name: program, inputs, outputs } = this.program;
    const bound = new Map<Value, CpuTensor>();
    const copies: Copy[] = [];
    const tensorFor = ({ name, value: { type } }: (typeof outputs)[number]): CpuTensor => {
      const tensor = cpuTensor(program, name, bindings[name]);
      if (tensor.dtype !== type.dtype)
        throw new ProgramError(program, `${name} is ${tensor.dtype}, needs ${type.dtype}`);
      const needed = elements(resolve(type.shape, live));
      if (needed > tensor.data.length)
        throw new ProgramError(program, `${name} has ${tensor.data.length} elements, needs ${needed}`);
      return tensor;
    };
    for (const input of inputs) bound.set(input.value, tensorFor(input));
    const read = new Set(bound.values());
    for (const output of outputs) {
      const { name, value } = output;
      const tensor = tensorFor(output);
      const other = bound.get(value);
      if (other === tensor) continue;
      if (read.has(tensor)) throw new ProgramError(program, `output ${name} is bound to the tensor of an input`);
      if (other === undefined) bound.set(value, tensor);
      else copies.push({ from: other, to: tensor, value });
    }
    return { bound, copies };
  }

  /** By the plain reference, in place: little is left to do where there are no rows at all. */
  private runEmpty(bound: ReadonlyMap<Value, CpuTensor>, live: LiveSizes): void {
    const made = new Map<Value, Operand>();
    const operand = (value: Value): Operand => {
      const shape = resolve(value.type.shape, live);
      const known = made.get(value) ?? bound.get(value)?.operand(shape);
      const found = known ?? { data: allocate(value.type.dtype, elements(shape)), shape };
      made.set(value, found);
      return found;
    };
    for (const node of this.program.nodes) node.reference(node.inputs.map(operand), node.outputs.map(operand));
  }

  async release(): Promise<void> {
    for (const segment of this.segments) if (segment.kind === 'onnx') await segment.session.release();
  }
}

/** One run: where values lie, and how large they are; `padded` has two rows where there are fewer. */
interface Run {
  readonly tensor: (value: Value) => CpuTensor;
  readonly live: LiveSizes;
  readonly padded: LiveSizes;
}

const clockOf = { onnx: 'nativeMs', wasm: 'wasmMs', host: 'hostMs' } as const;

async function runOnnx({ session, inputs, outputs }: OnnxSegment, { tensor, padded }: Run): Promise<void> {
  const bound = (list: typeof inputs) =>
    Object.fromEntries(list.map(({ name, value }) => [name, tensor(value).ort(resolve(value.type.shape, padded))]));
  await session.run(bound(inputs), bound(outputs));
}

function runWasm(program: Program, { nodes, call, values, dims }: WasmSegment, run: Run): void {
  const answer = call(
    ...values.map((value) => run.tensor(value).data.byteOffset),
    ...dims.map((name) => run.live[name]),
  );
  if (answer === 0) return;
  // The reference says what is wrong.
  const node = nodes[answer - 1];
  runHost(node, run);
  throw new ProgramError(program.name, `${node.op} refused operands that its reference takes`);
}

function runHost(node: Node, { tensor, live }: Run): void {
  const operand = (value: Value) => tensor(value).operand(resolve(value.type.shape, live));
  node.reference(node.inputs.map(operand), node.outputs.map(operand));
}

interface Copy {
  readonly from: CpuTensor;
  readonly to: CpuTensor;
  readonly value: Value;
}

function copy(copies: readonly Copy[], live: LiveSizes): void {
  for (const { from, to, value } of copies) to.data.set(from.operand(resolve(value.type.shape, live)).data);
}

/** Zeroes the padding of what `nodes` made; values that are in no memory have none. */
function clearMade(nodes: readonly Node[], { tensor, live, padded }: Run): void {
  for (const value of nodes.flatMap((node) => node.outputs)) {
    const made = tensor(value) as CpuTensor | undefined;
    if (made !== undefined) clearPadding(made, value, live, padded);
  }
}

/** Zeroes the rows that fewer than two live ones are padded with. */
function clearPadding(tensor: CpuTensor, { type }: Value, live: LiveSizes, padded: LiveSizes): void {
  const first = type.shape[0];
  if (first === undefined || typeof first === 'number' || live[first.name] >= 2) return;
  const row = elements(resolve(type.shape.slice(1), live));
  tensor.data.fill(0, row * live[first.name], row * padded[first.name]);
}

function checkDynamicDims(program: Program): void {
  const values = [...program.inputs.map((b) => b.value), ...program.nodes.flatMap((node) => node.outputs)];
  for (const { type } of values) {
    if (type.shape.slice(1).some((dim) => typeof dim !== 'number')) {
      throw new ProgramError(program.name, 'the cpu device takes a dynamic dimension only as the first one');
    }
    const first = type.shape[0];
    if (first !== undefined && typeof first !== 'number' && first.max < 2) {
      throw new ProgramError(program.name, `dimension ${first.name} needs a maximum of at least 2`);
    }
  }
}
