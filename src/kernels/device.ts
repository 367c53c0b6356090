/**
 * What actors see of compute. A device compiles programs once and runs them; an actor owns a **slice** of it, with a
 * budget; tensors live in slices. `cpu` is one implementation; others fit behind the same three interfaces.
 */
import type { Data, DType } from './dtype.ts';
import type { Program } from './program.ts';
import type { LiveSizes } from './shape.ts';

/** Storage on a device: `shape` at the maximum of its dynamic dimensions. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** Tensors by the names of a program's inputs and outputs. */
export type Bindings = Readonly<Record<string, Tensor>>;

/** `length` elements, between tensors of one type; `at` is the first of them in each. */
export interface TensorCopy {
  readonly from: TensorPlace;
  readonly to: TensorPlace;
  readonly length: number;
}

export interface TensorPlace {
  readonly tensor: Tensor;
  readonly at: number;
}

/** A program made ready for one device. */
export interface Executable {
  readonly program: Program;
  /** Device memory that its intermediates take while it runs. */
  readonly scratchBytes: number;
  readonly times: Readonly<RunTimes>;
  /**
   * Runs over the bound tensors, of which each dynamic dimension is live up to `live`. Inputs must not alias outputs.
   * Resolves when the outputs can be read. Runs of one device happen one after another, in the order of the calls.
   */
  run(bindings: Bindings, live?: LiveSizes): Promise<void>;
  /** The same for what nobody waits for: it gives way to all other runs, where the device can tell that there are none. */
  runLater(bindings: Bindings, live?: LiveSizes): Promise<void>;
}

/** How many owners a group has, and how many rows. */
export interface GroupSize {
  readonly count: number;
  /** Of all owners together at most: what the slab has. */
  readonly rows: number;
  /** What each is expected to have. */
  readonly each: number;
}

/** What a group runs over. */
export interface GroupBindings {
  /** Tensors of the inputs and outputs that have rows, [S, …]: those of owner 0, then those of owner 1, and so on. */
  readonly slab: Bindings;
  /** Tensors of all other inputs and outputs, by owner: weights, gradients of weights. */
  readonly own: (owner: number) => Bindings;
  /** How many rows each owner has. */
  readonly rows: ArrayLike<number>;
}

/**
 * A program made ready for the rows of several owners, which lie one behind another in a slab. Each owner gets the bits that
 * the program gives alone, over tensors of its own.
 */
export interface GroupExecutable {
  readonly program: Program;
  readonly size: GroupSize;
  /** Device memory that it takes while it runs. */
  readonly scratchBytes: number;
  /** Owners that are run at once, for so many rows of each: every owner is in one of the batches. */
  batches(rows: ArrayLike<number>): readonly (readonly number[])[];
  /** Runs all owners. Nothing else runs between them. */
  run(group: GroupBindings): Promise<void>;
  /** Runs one of the batches, which nobody waits for: see `Executable.runLater`. */
  runLater(group: GroupBindings, batch: readonly number[]): Promise<void>;
}

/** Where the time of a program's runs went: in the native library, in generated code, and in plain host code. */
export interface RunTimes {
  runs: number;
  nativeMs: number;
  wasmMs: number;
  hostMs: number;
}

/** The part of a device that one actor owns. */
export interface Slice {
  readonly owner: string;
  readonly budgetBytes: number;
  readonly usedBytes: number;
  /** A zeroed tensor, 64-byte aligned. Throws `OutOfSliceMemory`. */
  tensor(what: string, dtype: DType, shape: readonly number[]): Tensor;
  /**
   * One f32 range with a named, 64-byte-aligned view for each entry, in the order given: parameters, gradients and
   * moments are such, so that what works on all of them at once sees one tensor (`flat`).
   */
  arena(what: string, shapes: Readonly<Record<string, readonly number[]>>): FlatArena;
  /** Gives everything back; the slice's tensors must not be used again. */
  release(): void;
}

/**
 * The place of a slice among several that take the same tensors in the same order. Where a device can, it lays tensors of one
 * name out in one bank, so that a group reaches those of all its owners at once.
 */
export interface BankPlace {
  /** No other bank of the device has its name. */
  readonly bank: string;
  readonly count: number;
  /** 0 … count − 1; no other slice of the bank has it. */
  readonly at: number;
}

export interface FlatArena {
  readonly flat: Tensor;
  readonly views: Bindings;
  /**
   * `length` elements from element `at` on, as a tensor of its own over the same memory. `at` is a multiple of 64: ranges begin
   * 256 bytes apart, as the devices that ask for most ask for it.
   */
  range(at: number, length: number): Tensor;
}

/** What is taken from a dry device from `begin` to `end` is booked so many times. */
export interface DryBook {
  begin(count: number): void;
  end(): void;
}

export interface Device {
  readonly kind: 'cpu' | 'webgpu';
  /** What must be equal for two devices to give the same bits. */
  readonly numericsClass: string;
  /**
   * Whether its memory is the host's, so that `read` gives a view at once. Else a read is a copy that comes a long way: what
   * can be folded on the device should be.
   */
  readonly sharesMemory: boolean;
  /** Which of several forms of equal bits it took by timing them, by what for; absent where there is nothing to choose. */
  readonly choices?: Readonly<Record<string, string>>;
  /** Of one that measures only: nothing is stored, so that initial values need not be made, and what is alike is made once. */
  readonly dry?: DryBook;
  /** Everything compiled so far, with its times. */
  executables(): Promise<readonly Executable[]>;
  compile(program: Program): Promise<Executable>;
  /** For a group of owners. Throws `ProgramError` where the program has not one dynamic dimension: the rows. */
  compileGroup(program: Program, size: GroupSize): Promise<GroupExecutable>;
  slice(owner: string, budgetBytes: number, place?: BankPlace): Slice;
  /**
   * Copies host data into `tensor` from element `at` on (default: from the first). What `read` gave of the same place is
   * there already where memory is shared, and is not copied.
   */
  write(tensor: Tensor, data: Data, at?: number): void;
  /**
   * `length` elements (default: all) from element `at` on (default: from the first), after all runs asked for before. Where
   * memory is shared a view, at once: those runs must have resolved, and it is valid until the tensor is written again.
   * Elsewhere a copy: who changes what was read has to write it. Reads that are asked for together come back together, so
   * ask for all before awaiting any.
   */
  read(tensor: Tensor, length?: number, at?: number): Promise<Data>;
  /**
   * Copies ranges of tensors to others, one after another, after all runs asked for before, and before all that is asked
   * for later. Ranges begin at whole words; where one ends within a word, the rest of the word is copied, too. Devices other
   * than the processor refuse copies within one arena or bank.
   */
  copy(copies: readonly TensorCopy[]): void;
  close(): Promise<void>;
}
