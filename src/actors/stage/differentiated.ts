/** A differentiated program is one with its derivative, compiled for a device: what a role runs for one step, both ways. */
import type { Device, Executable } from '../../kernels/device.ts';
import type { Program } from '../../kernels/program.ts';
import { vjp, type Vjp } from '../../kernels/vjp.ts';
import { LIVE } from '../../models/taps.ts';

export interface Differentiated {
  readonly vjp: Vjp;
  /** Also writes residuals. */
  readonly forward: Executable;
  readonly backward: Executable;
}

const derivatives = new WeakMap<Program, Vjp>();

/** What of a program has no part in its derivative. */
export interface Unlearnt {
  /** Outputs that are only reported. */
  readonly reports?: readonly string[];
  /** Inputs that no gradient is asked for, beside the mask of what is reported. */
  readonly constants?: readonly string[];
}

/** The derivative of a program; layers that share a program share it, and so the device compiles it once. */
export function derivativeOf(program: Program, { reports = [], constants = [] }: Unlearnt = {}): Vjp {
  const from = reports.length === 0 ? {} : { from: learntFrom(program, reports) };
  const known = derivatives.get(program) ?? vjp(program, { ...from, constants: [LIVE, ...constants] });
  derivatives.set(program, known);
  return known;
}

const learntFrom = ({ outputs }: Program, reports: readonly string[]): string[] =>
  outputs.flatMap(({ name }) => (reports.includes(name) ? [] : [name]));

export async function differentiate(device: Device, program: Program, unlearnt?: Unlearnt): Promise<Differentiated> {
  const derivative = derivativeOf(program, unlearnt);
  return {
    vjp: derivative,
    forward: await device.compile(derivative.forward),
    backward: await device.compile(derivative.backward),
  };
}
