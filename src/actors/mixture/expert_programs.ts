/**
 * The programs of an expert, compiled; all experts of a device share them. Where the device gains by it (on the processor
 * with few rows only, when the price of a run is more than that of its arithmetic) those of a group run side by side, as one
 * program.
 */
import type { Bindings, Device, Executable } from '../../kernels/device.ts';
import type { Program } from '../../kernels/program.ts';
import { nameBeside, sideBySide } from '../../kernels/side_by_side.ts';
import type { Vjp } from '../../kernels/vjp.ts';
import { derivativeOf } from '../stage/differentiated.ts';

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
  /** Rows that each is expected to get. */
  readonly rows: number;
}

type Executables = Readonly<Record<ExpertPart, Executable>>;

export class ExpertPrograms {
  readonly derivative: Vjp;
  private readonly most: number;
  private readonly alone: Executables;
  /** By the number of experts that they run. */
  private readonly beside: ReadonlyMap<number, Executables>;

  /** Experts run beside one another up to `most` rows each. */
  private constructor(
    derivative: Vjp,
    most: number,
    { alone, beside }: { alone: Executables; beside: ReadonlyMap<number, Executables> },
  ) {
    this.derivative = derivative;
    this.most = most;
    this.alone = alone;
    this.beside = beside;
  }

  static async compile(
    device: Device,
    program: Program,
    { count, rows }: ExpertProgramsOptions,
  ): Promise<ExpertPrograms> {
    const derivative = derivativeOf(program);
    const compiled = async (of: (part: ExpertPart) => Program): Promise<Executables> => ({
      forward: await device.compile(of('forward')),
      backwardInput: await device.compile(of('backwardInput')),
      backwardWeight: await device.compile(of('backwardWeight')),
    });
    const beside = new Map<number, Executables>();
    const most = device.besideRows;
    for (const size of rows <= most ? new Set(batchSizes(count)) : []) {
      if (size > 1) beside.set(size, await compiled((part) => besideOf(derivative[part], size, most)));
    }
    return new ExpertPrograms(derivative, most, { alone: await compiled((part) => derivative[part]), beside });
  }

  /**
   * How the runs of a group's experts go to the device, by their indices: beside one another if no one has too many rows,
   * else one by one.
   */
  batches(runs: readonly ExpertRun[]): (readonly number[])[] {
    if (this.beside.size === 0 || runs.some(({ rows }) => rows > this.most)) return runs.map((_, i) => [i]);
    let next = 0;
    return batchSizes(runs.length).map((size) => Array.from({ length: size }, () => next++));
  }

  /** Runs those of one batch; `later`: nobody waits for them. */
  run(part: ExpertPart, batch: readonly ExpertRun[], later: 'later' | null = null): Promise<void> {
    const go = later === null ? 'run' : 'runLater';
    const [first] = batch;
    if (batch.length === 1) return this.alone[part][go](first.bindings, { rows: first.rows });
    const bindings = batch.flatMap((run, i) =>
      Object.entries(run.bindings).map(([name, tensor]) => [nameBeside(name, i), tensor] as const),
    );
    const live = batch.map(({ rows }, i) => [nameBeside('rows', i), rows] as const);
    const executable = this.beside.get(batch.length)![part];
    return executable[go](Object.fromEntries(bindings), Object.fromEntries(live));
  }
}

/** How `count` experts are shared out to programs: as evenly as can be, at most `MOST_BESIDE` to one. */
export function batchSizes(count: number): number[] {
  const batches = Math.ceil(count / MOST_BESIDE);
  return Array.from({ length: batches }, (_, i) => Math.floor((count + i) / batches));
}

const made = new WeakMap<Program, Map<string, Program>>();

/** The same program for the same count, so that the device compiles it once. */
function besideOf(program: Program, count: number, most: number): Program {
  const known = made.get(program) ?? new Map<string, Program>();
  made.set(program, known);
  const key = `${count} of ${most}`;
  const beside = known.get(key) ?? sideBySide(program, count, most);
  known.set(key, beside);
  return beside;
}
