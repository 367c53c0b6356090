/**
 * The `cpu` device: one arena, one queue, programs compiled to onnxruntime sessions and generated code. One scratch range
 * serves all programs of the device, since one runs at a time; it grows when a program is compiled that needs more, and its
 * views are made anew then. So compiling has its turn in the queue, as a run has.
 */
import { JobQueue } from './job_queue.ts';
import os from 'node:os';
import { createRequire } from 'node:module';
import { Arena } from '../arena.ts';
import { Compilations } from '../compilations.ts';
import type { Data } from '../dtype.ts';
import { checkCopy } from '../copy.ts';
import type { Device, Executable, GroupExecutable, GroupSize, Slice, Tensor, TensorCopy } from '../device.ts';
import type { Value } from '../graph.ts';
import { groupProgram, type GroupProgram } from '../group_program.ts';
import type { Program } from '../program.ts';
import type { Range } from '../ranges.ts';
import { CpuExecutable } from './executable.ts';
import { CpuGroup } from './group.ts';
import { groupPrograms, pairRoom, scratchBytesOf } from './group_programs.ts';
import { planned } from './planned.ts';
import { valueBytes, type ScratchPlan } from './scratch.ts';
import { makeRunnable } from './segments.ts';
import { CpuSlice } from './slice.ts';
import { CpuTensor, cpuTensor } from './tensor.ts';
import { bytesPerElement } from '../dtype.ts';
import type { Table } from '../table.ts';
import { hasWasm } from './wasm/support.ts';

export interface CpuDeviceOptions {
  /** Bytes of memory for all slices and scratch of this device. */
  readonly bytes: number;
  /** Whether code is generated beside onnxruntime's; by default where the process can run it. */
  readonly wasm?: boolean;
}

/** What must be equal for two `cpu` devices to give the same bits: instruction set, processor, library version. */
export function numericsClassOf(wasm = hasWasm()): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return `cpu/${process.arch}/${os.cpus()[0]?.model ?? 'unknown'}/onnxruntime-${version}${wasm ? '+wasm' : ''}`;
}

export class CpuDevice implements Device {
  readonly kind = 'cpu';
  readonly sharesMemory: boolean = true;
  readonly numericsClass: string;
  private readonly arena: Arena;
  private readonly wasm: boolean;
  private readonly compiled = new Compilations((program: Program) => this.queue.do(() => this.build(program)));
  private readonly groups = new Compilations((group: GroupProgram) => this.buildGroup(group));
  private readonly tables = new Map<string, number>();
  private scratchRange: Range | null = null;
  private scratchViews = new WeakMap<ScratchPlan, ReadonlyMap<Value, CpuTensor>>();
  private readonly queue = new JobQueue();

  constructor({ bytes, wasm = hasWasm() }: CpuDeviceOptions) {
    this.arena = new Arena(bytes);
    this.wasm = wasm;
    this.numericsClass = numericsClassOf(wasm);
  }

  get usedBytes(): number {
    return this.arena.usedBytes;
  }

  compile(program: Program): Promise<Executable> {
    return this.compiled.of(program);
  }

  compileGroup(program: Program, size: GroupSize): Promise<GroupExecutable> {
    return this.groups.of(groupProgram(program, size));
  }

  executables(): Promise<readonly Executable[]> {
    return this.compiled.all();
  }

  slice(owner: string, budgetBytes: number): Slice {
    return new CpuSlice(this.arena, owner, budgetBytes);
  }

  write(tensor: Tensor, data: Data, at = 0): void {
    const target = cpuTensor('write', 'tensor', tensor).data;
    const isThere =
      data.buffer === target.buffer && data.byteOffset === target.byteOffset + at * target.BYTES_PER_ELEMENT;
    if (!isThere) target.set(data, at);
  }

  read(tensor: Tensor, length?: number, at = 0): Promise<Data> {
    const { data } = cpuTensor('read', 'tensor', tensor);
    return Promise.resolve(data.subarray(at, length === undefined ? data.length : at + length));
  }

  /** At once: the runs asked for before must have resolved. */
  copy(copies: readonly TensorCopy[]): void {
    for (const { from, to, length } of copies) {
      const source = cpuTensor('copy', 'from', from.tensor);
      const target = cpuTensor('copy', 'to', to.tensor);
      checkCopy(source, target, { from: from.at, to: to.at, length });
      target.data.set(source.data.subarray(from.at, from.at + length), to.at);
    }
  }

  async close(): Promise<void> {
    await this.queue.idle();
    for (const executable of await this.compiled.all()) await executable.release();
    this.compiled.clear();
    this.groups.clear();
  }

  private async build(program: Program): Promise<CpuExecutable> {
    const { segments, scratch: plan, tables } = planned(program, this.wasm);
    this.reserveScratch(program.name, plan.bytes);
    tables.forEach((table) => this.place(table));
    const addressOf = ({ name }: Table): number => this.tables.get(name)!;
    const runnable = await makeRunnable(program, segments, { memory: this.arena.memory, addressOf });
    return new CpuExecutable(program, runnable, plan, (p) => this.scratchOf(p), this.queue);
  }

  private async buildGroup(group: GroupProgram): Promise<CpuGroup> {
    const programs = groupPrograms(group);
    const alone = await this.compiled.of(programs.alone);
    const beside = new Map<number, CpuExecutable>();
    for (const [count, program] of programs.beside) beside.set(count, await this.compiled.of(program));
    const pairs = pairRoom(group, programs, scratchBytesOf([alone, ...beside.values()]));
    await this.queue.do(() => Promise.resolve(this.reserveScratch(group.program.name, pairs.plan.bytes)));
    const { fewRows } = programs;
    return new CpuGroup(group, { alone, beside, fewRows, pairs, scratch: (p) => this.scratchOf(p), queue: this.queue });
  }

  /** Puts a table into the arena, if it is not there. */
  private place(table: Table): void {
    const { name, length } = table;
    if (this.tables.has(name)) return;
    const { offset } = this.arena.take('device', `table ${name}`, length * bytesPerElement.f32);
    new Float32Array(this.arena.buffer, offset, length).set(table.make());
    this.tables.set(name, offset);
  }

  private reserveScratch(program: string, bytes: number): void {
    if (bytes <= (this.scratchRange?.bytes ?? 0)) return;
    // Its content is of no worth between runs, so the old range may become part of the new one.
    if (this.scratchRange !== null) this.arena.give(this.scratchRange);
    this.scratchRange = null;
    this.scratchViews = new WeakMap();
    this.scratchRange = this.arena.take('device', `scratch of program ${program}`, bytes);
  }

  private scratchOf(plan: ScratchPlan): ReadonlyMap<Value, CpuTensor> {
    const known = this.scratchViews.get(plan);
    if (known !== undefined) return known;
    const base = this.scratchRange?.offset ?? 0;
    const made = new Map(
      [...plan.offsets].map(([value, offset]) => {
        const { dtype, shape } = value.type;
        const sizes = shape.map((dim) => (typeof dim === 'number' ? dim : dim.max));
        const capacity = Math.floor(valueBytes(value) / bytesPerElement[dtype]);
        return [value, new CpuTensor(this.arena.buffer, base + offset, dtype, sizes, capacity)] as const;
      }),
    );
    this.scratchViews.set(plan, made);
    return made;
  }
}
