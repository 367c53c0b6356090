/**
 * The `cpu` device without memory and without sessions: slices count their bytes, programs are measured and never
 * compiled. It allocates as the real one does, in the same order and from the same allocator, so that what the
 * roles of a worker take is known to the byte before anybody has it. What was asked of it can be asked again of another worker's memory.
 */
import type { Device, DryBook, Executable, FlatArena, GroupExecutable, GroupSize, Slice, Tensor } from '../device.ts';
import { bytesPerElement, type Data, type DType } from '../dtype.ts';
import { ProgramError } from '../errors.ts';
import { flatLayout } from '../flat_layout.ts';
import { groupProgram, type GroupProgram } from '../group_program.ts';
import type { Program } from '../program.ts';
import { rangeBytes } from '../ranges.ts';
import { elements } from '../shape.ts';
import { DryMemory, measured, measuredGroup, type Taking } from './dry_memory.ts';

export class DryDevice implements Device {
  readonly kind = 'cpu';
  readonly sharesMemory: boolean;
  readonly dry: DryBook = { begin: (count) => this.begin(count), end: () => this.end() };
  readonly numericsClass = 'dry';
  /** Every slice that was made, in that order; of alike ones the first. */
  readonly slices: DrySlice[] = [];
  private readonly compiled = new Map<Program, Executable>();
  private readonly groups = new Map<GroupProgram, GroupExecutable>();
  /** What was asked for; above it the repetitions that have not ended, the innermost last. */
  private readonly books: { readonly count: number; readonly takings: Taking[] }[] = [{ count: 1, takings: [] }];

  /** `sharesMemory`: whether the device that is meant does; one that does not keeps more on itself. */
  constructor({ sharesMemory = true }: { readonly sharesMemory?: boolean } = {}) {
    this.sharesMemory = sharesMemory;
  }

  /** What was asked for so far, in order. */
  get takings(): readonly Taking[] {
    return this.books[0].takings;
  }

  /** A worker's memory that has given all of it. */
  get memory(): DryMemory {
    const memory = new DryMemory();
    for (const taking of this.takings) memory.take('device', taking);
    return memory;
  }

  compile(program: Program): Promise<Executable> {
    const known = this.compiled.get(program) ?? this.measure(program);
    this.compiled.set(program, known);
    return Promise.resolve(known);
  }

  compileGroup(program: Program, size: GroupSize): Promise<GroupExecutable> {
    const group = groupProgram(program, size);
    const known = this.groups.get(group) ?? this.measureGroup(group);
    this.groups.set(group, known);
    return Promise.resolve(known);
  }

  executables(): Promise<readonly Executable[]> {
    return Promise.resolve([...this.compiled.values()]);
  }

  /** A slice that counts and never refuses: who asks wants to know how much it would be. */
  slice(owner: string, budgetBytes: number): Slice {
    const alike = this.times;
    const slice = new DrySlice(owner, budgetBytes, {
      alike,
      book: (what, bytes) => {
        this.book({ kind: 'range', what, bytes });
        return this.times / alike;
      },
    });
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
    this.book({ kind: 'program', program });
    return {
      program,
      scratchBytes: measured(program).scratchBytes,
      times: { runs: 0, nativeMs: 0, wasmMs: 0, hostMs: 0 },
      ...runsNothing(program),
    };
  }

  private measureGroup(group: GroupProgram): GroupExecutable {
    this.book({ kind: 'group', group });
    const { program, size } = group;
    const { scratchBytes } = measuredGroup(group);
    return { program, size, scratchBytes, batches: () => [], ...runsNothing(program) };
  }

  /** How many times is booked what is asked for now. */
  private get times(): number {
    return this.books.reduce((product, { count }) => product * count, 1);
  }

  private book(taking: Taking): void {
    this.books[this.books.length - 1].takings.push(taking);
  }

  private begin(count: number): void {
    this.books.push({ count, takings: [] });
  }

  private end(): void {
    const { count, takings } = this.books.pop()!;
    this.book({ kind: 'repeat', count, takings });
  }
}

const runsNothing = ({ name }: Program) => {
  const refuse = (): Promise<void> => Promise.reject(new ProgramError(name, 'a dry device runs nothing'));
  return { run: refuse, runLater: refuse };
};

interface SliceBook {
  readonly alike: number;
  /** Answers how many times it is taken from each slice. */
  readonly book: (what: string, bytes: number) => number;
}

export class DrySlice implements Slice {
  readonly owner: string;
  readonly budgetBytes: number;
  /** How many slices this one stands for. */
  readonly alike: number;
  /** What was taken, in order, and how often. */
  readonly taken: { readonly what: string; readonly bytes: number; readonly times: number }[] = [];
  private readonly book: SliceBook['book'];

  constructor(owner: string, budgetBytes: number, { alike, book }: SliceBook) {
    this.owner = owner;
    this.budgetBytes = budgetBytes;
    this.alike = alike;
    this.book = book;
  }

  get usedBytes(): number {
    return this.taken.reduce((sum, { bytes, times }) => sum + bytes * times, 0);
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
      range: (_at, elementCount) => view([elementCount]),
    };
  }

  release(): void {
    throw new ProgramError(this.owner, 'a rehearsal gives nothing back');
  }

  private take(what: string, bytes: number): void {
    this.taken.push({ what, bytes: rangeBytes(bytes), times: this.book(what, bytes) });
  }
}
