/**
 * The programs of an expert, compiled; all experts of a device share them. Where experts get few rows, those of a group
 * run side by side, as one program: below some thirty rows the price of a run is more than that of its arithmetic.
 */
import type { Bindings, Device, Executable } from '../kernels/device.ts';
import type { Program } from '../kernels/program.ts';
import { nameBeside, sideBySide } from '../kernels/side_by_side.ts';
import type { Vjp } from '../kernels/vjp.ts';
import { derivativeOf } from './differentiated.ts';

/** Rows of an expert up to which it runs beside others. */
export const FEW_ROWS = 32;
/** Experts that one program runs at most: a function of generated code has room for the addresses of as many. */
const MOST_BESIDE = 32;

/** Gradients of rows, which others wait for, and those of weights, which come after, are programs of their own. */
export type ExpertPart = 'forward' | 'backwardInput' | 'backwardWeight';

/** What an expert gives to be run: its tensors, and how many rows of them are live. */
export interface ExpertRun {
  readonly bindings: Bindings;
  readonly rows: number;
}

export interface ExpertProgramsOptions {
  /** Experts of a group. */
  readonly count: number;
  /** Whether they are expected to get few rows. */
  readonly hasFewRows: boolean;
}

type Executables = Readonly<Record<ExpertPart, Executable>>;

export class ExpertPrograms {
  readonly derivative: Vjp;
  private readonly alone: Executables;
  /** By the number of experts that they run. */
  private readonly beside: ReadonlyMap<number, Executables>;

  private constructor(derivative: Vjp, alone: Executables, beside: ReadonlyMap<number, Executables>) {
    this.derivative = derivative;
    this.alone = alone;
    this.beside = beside;
  }

  static async compile(
    device: Device,
    program: Program,
    { count, hasFewRows }: ExpertProgramsOptions,
  ): Promise<ExpertPrograms> {
    const derivative = derivativeOf(program);
    const compiled = async (of: (part: ExpertPart) => Program): Promise<Executables> => ({
      forward: await device.compile(of('forward')),
      backwardInput: await device.compile(of('backwardInput')),
      backwardWeight: await device.compile(of('backwardWeight')),
    });
    const beside = new Map<number, Executables>();
    for (const size of hasFewRows ? new Set(batchSizes(count)) : []) {
      if (size > 1) beside.set(size, await compiled((part) => besideOf(derivative[part], size)));
    }
    return new ExpertPrograms(derivative, await compiled((part) => derivative[part]), beside);
  }

  /** The runs of a group's experts as they go to the device: beside one another if each has few rows, else one by one. */
  batches(runs: readonly ExpertRun[]): (readonly ExpertRun[])[] {
    if (this.beside.size === 0 || runs.some(({ rows }) => rows > FEW_ROWS)) return runs.map((run) => [run]);
    let at = 0;
    return batchSizes(runs.length).map((size) => runs.slice(at, (at += size)));
  }

  /** Runs a batch of `batches`. */
  run(part: ExpertPart, batch: readonly ExpertRun[]): Promise<void> {
    const [first] = batch;
    if (batch.length === 1) return this.alone[part].run(first.bindings, { rows: first.rows });
    const bindings = batch.flatMap((run, i) =>
      Object.entries(run.bindings).map(([name, tensor]) => [nameBeside(name, i), tensor] as const),
    );
    const live = batch.map(({ rows }, i) => [nameBeside('rows', i), rows] as const);
    const executable = this.beside.get(batch.length)![part];
    return executable.run(Object.fromEntries(bindings), Object.fromEntries(live));
  }
}

/** How `count` experts are shared out to programs: as evenly as can be, at most `MOST_BESIDE` to one. */
export function batchSizes(count: number): number[] {
  const batches = Math.ceil(count / MOST_BESIDE);
  return Array.from({ length: batches }, (_, i) => Math.floor((count + i) / batches));
}

const made = new WeakMap<Program, Map<number, Program>>();

/** The same program for the same count, so that the device compiles it once. */
function besideOf(program: Program, count: number): Program {
  const known = made.get(program) ?? new Map<number, Program>();
  made.set(program, known);
  const beside = known.get(count) ?? sideBySide(program, count, FEW_ROWS);
  known.set(count, beside);
  return beside;
}
