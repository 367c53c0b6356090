/** The programs of an expert, compiled; all experts of a device share them. */
import type { Device, Executable } from '../kernels/device.ts';
import type { Vjp } from '../kernels/vjp.ts';
import type { Program } from '../kernels/program.ts';
import { derivativeOf } from './differentiated.ts';

export interface ExpertPrograms {
  readonly derivative: Vjp;
  readonly forward: Executable;
  /** Gradients of rows, which others wait for; gradients of weights come after. */
  readonly backwardInput: Executable;
  readonly backwardWeight: Executable;
}

export async function compileExpert(device: Device, program: Program): Promise<ExpertPrograms> {
  const derivative = derivativeOf(program);
  return {
    derivative,
    forward: await device.compile(derivative.forward),
    backwardInput: await device.compile(derivative.backwardInput),
    backwardWeight: await device.compile(derivative.backwardWeight),
  };
}
