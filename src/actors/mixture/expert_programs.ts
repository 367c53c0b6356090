/**
 * The programs of the experts of a group, compiled for the rows of all of them at once. Gradients of rows, which others wait
 * for, and those of weights, which come after, are programs of their own.
 */
import type { Device, GroupExecutable, GroupSize } from '../../kernels/device.ts';
import type { Program } from '../../kernels/program.ts';
import type { Vjp } from '../../kernels/vjp.ts';
import { derivativeOf } from '../stage/differentiated.ts';

export type ExpertPart = 'forward' | 'backwardInput' | 'backwardWeight';

export interface ExpertPrograms extends Readonly<Record<ExpertPart, GroupExecutable>> {
  readonly derivative: Vjp;
}

export async function compileExperts(device: Device, program: Program, size: GroupSize): Promise<ExpertPrograms> {
  const derivative = derivativeOf(program);
  return {
    derivative,
    forward: await device.compileGroup(derivative.forward, size),
    backwardInput: await device.compileGroup(derivative.backwardInput, size),
    backwardWeight: await device.compileGroup(derivative.backwardWeight, size),
  };
}
