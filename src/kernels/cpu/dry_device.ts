/**
 * The `cpu` device without memory and without sessions: slices count their bytes, programs are measured and never
 * compiled. It allocates as the real one does, in the same order and from the same allocator, so that what a company
 * takes is known to the byte before anybody has it.
 */
import type { Device, Executable, FlatArena, Slice, Tensor } from '../device.ts';
import { bytesPerElement, type Data, type DType } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import { flatLayout } from '../flat_layout.ts';
import type { Program } from '../program.ts';
import { BOUNDLESS_BYTES, Ranges, type Range } from '../ranges.ts';
import { elements } from '../shape.ts';
import { BESIDE_ROWS, planned } from './planned.ts';
import { hasWasm } from './wasm/support.ts';

export class DryDevice implements Device {
  readonly kind = 'cpu';
  readonly sharesMemory: boolean;
  readonly besideRows = BESIDE_ROWS;
  readonly isDry = true;
  readonly numericsClass = 'dry';
  /** Every slice that was made, in that order. */
  readonly slices: DrySlice[] = [];
  private readonly memory = new Ranges(BOUNDLESS_BYTES);
  private readonly compiled = new Map<Program, Executable>();
  private readonly tables = new Set<string>();
  private scratch: Range | null = null;

  /** `sharesMemory`: whether the device that is meant does; one that does not keeps more on itself. */
  constructor({ sharesMemory = true }: { readonly sharesMemory?: boolean } = {}) {
    this.sharesMemory = sharesMemory;
  }

  /** Bytes of all slices and of scratch. */
  get usedBytes(): number {
    return this.memory.usedBytes;
  }

  /** Bytes of scratch, which all programs share. */
  get scratchBytes(): number {
    return this.scratch?.bytes ?? 0;
  }

  /** Least memory of a real device that has room for all of this: `usedBytes` and the holes that are left between. */
  get peakBytes(): number {
    return this.memory.peakBytes;
  }

  compile(program: Program): Promise<Executable> {
    const known = this.compiled.get(program) ?? this.measure(program);
    this.compiled.set(program, known);
    return Promise.resolve(known);
  }

  executables(): Promise<readonly Executable[]> {
    return Promise.resolve([...this.compiled.values()]);
  }

  /** A slice that counts and never refuses: who asks wants to know how much it would be. */
  slice(owner: string, budgetBytes: number): Slice {
    const slice = new DrySlice(this.memory, owner, budgetBytes);
    this.slices.push(slice);
    return slice;
  }

  write(): void {
    // There is nowhere to write to.
  }

  copy(): void {
    // Nor to copy from.
  }

  read(): Promise<Data> {
    return Promise.reject(new ProgramError('read', 'a dry device holds no data'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private measure(program: Program): Executable {
    const { scratch, tables } = planned(program, hasWasm());
    const { bytes } = scratch;
    this.reserveScratch(program.name, bytes);
    for (const { name, length } of tables) {
      if (this.tables.has(name)) continue;
      this.tables.add(name);
      this.memory.take('device', `table ${name}`, length * bytesPerElement.f32);
    }
    return {
      program,
      scratchBytes: bytes,
      times: { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 },
      run: () => Promise.reject(new ProgramError(program.name, 'a dry device runs nothing')),
    };
  }

  /** As `CpuDevice` does. */
  private reserveScratch(program: string, bytes: number): void {
    if (bytes <= this.scratchBytes) return;
    if (this.scratch !== null) this.memory.give(this.scratch);
    this.scratch = this.memory.take('device', `scratch of program ${program}`, bytes);
  }
}

export class DrySlice implements Slice {
  readonly owner: string;
  readonly budgetBytes: number;
  /** What was taken, in order. */
  readonly taken: { readonly what: string; readonly bytes: number }[] = [];
  private readonly memory: Ranges;
  private ranges: Range[] = [];

  constructor(memory: Ranges, owner: string, budgetBytes: number) {
    this.memory = memory;
    this.owner = owner;
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.ranges.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  tensor(what: string, dtype: DType, shape: readonly number[]): Tensor {
    const bytes = elements(shape) * bytesPerElement[dtype];
    this.take(what, bytes);
    return { dtype, shape, bytes };
  }

  arena(what: string, shapes: Readonly<Record<string, readonly number[]>>): FlatArena {
    const { length, places } = flatLayout(shapes);
    this.take(what, length * bytesPerElement.f32);
    const view = (shape: readonly number[]): Tensor => ({
      dtype: 'f32',
      shape,
      bytes: elements(shape) * bytesPerElement.f32,
    });
    return {
      flat: view([length]),
      views: Object.fromEntries(places.map(({ name, shape }) => [name, view(shape)])),
    };
  }

  release(): void {
    this.ranges.forEach((range) => this.memory.give(range));
    this.ranges = [];
    this.taken.length = 0;
  }

  private take(what: string, bytes: number): void {
    const range = this.memory.take(this.owner, what, bytes);
    this.ranges.push(range);
    this.taken.push({ what, bytes: range.bytes });
  }
}
