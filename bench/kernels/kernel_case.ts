/** One operation to time: its program, what it has to do at least, and what it is called in PyTorch. */
import { bytesPerElement } from '../../src/kernels/dtype.ts';
import type { GroupSize } from '../../src/kernels/device.ts';
import type { Program } from '../../src/kernels/program.ts';
import { maxElements, type LiveSizes } from '../../src/kernels/shape.ts';

/** Elements of an input, by name; the others hold noise between −1 and 1. */
export type Fill = Readonly<Record<string, (i: number) => number>>;

/** An operation of `peers/torch_kernels.py`, with its sizes. */
export type PeerCall = Readonly<Record<string, string | number | boolean | readonly number[]>> & {
  readonly op: string;
};

export interface KernelCase {
  readonly name: string;
  /** Sizes, for a person. */
  readonly shape: string;
  readonly program: Program;
  readonly live: LiveSizes;
  /** Where it is run for the owners of a group, all with as many rows. */
  readonly group?: GroupSize;
  readonly fill: Fill;
  /** What bounds it: arithmetic (FLOPs), or memory (bytes). */
  readonly bound: 'flops' | 'bytes';
  /** Of one run. */
  readonly amount: number;
  /** Null where PyTorch has no such operation. */
  readonly peer: PeerCall | null;
}

/** Bytes of all operands and results, each once; state is read and written. */
export function bytesOf({ inputs, outputs }: Program): number {
  const bytes = ({ value: { type } }: Program['outputs'][number]): number =>
    maxElements(type.shape) * bytesPerElement[type.dtype];
  return (
    inputs.reduce((sum, input) => sum + bytes(input) * (input.role === 'state' ? 2 : 1), 0) +
    outputs.reduce((sum, output) => sum + bytes(output), 0)
  );
}
