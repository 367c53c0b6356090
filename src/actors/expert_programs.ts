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
  private readonly beside: { readonly executables: Executables; readonly count: number } | null;

  private constructor(derivative: Vjp, alone: Executables, beside: ExpertPrograms['beside']) {
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
    const alone = await compiled((part) => derivative[part]);
    if (count < 2 || !hasFewRows) return new ExpertPrograms(derivative, alone, null);
    const executables = await compiled((part) => besideOf(derivative[part], count));
    return new ExpertPrograms(derivative, alone, { executables, count });
  }

  /** The runs of a group's experts as they go to the device: all as one if each has few rows, else one by one. */
  batches(runs: readonly ExpertRun[]): (readonly ExpertRun[])[] {
    const isOne = this.beside?.count === runs.length && runs.every(({ rows }) => rows <= FEW_ROWS);
    return isOne ? [runs] : runs.map((run) => [run]);
  }

  /** Runs a batch of `batches`. */
  run(part: ExpertPart, batch: readonly ExpertRun[]): Promise<void> {
    const [first] = batch;
    if (batch.length === 1) return this.alone[part].run(first.bindings, { rows: first.rows });
    const executable = this.beside!.executables[part];
    const bindings = batch.flatMap((run, i) =>
      Object.entries(run.bindings).map(([name, tensor]) => [nameBeside(name, i), tensor] as const),
    );
    const live = batch.map(({ rows }, i) => [nameBeside('rows', i), rows] as const);
    return executable.run(Object.fromEntries(bindings), Object.fromEntries(live));
  }
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
