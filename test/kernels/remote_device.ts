/** The `cpu` device as if its memory were elsewhere: what is read is a copy, and comes in a later turn. */
import { setImmediate } from 'node:timers/promises';
import { CpuDevice } from '../../src/kernels/cpu/device.ts';
import { cpuTensor } from '../../src/kernels/cpu/tensor.ts';
import type { Tensor } from '../../src/kernels/device.ts';
import type { Data } from '../../src/kernels/dtype.ts';

export class RemoteDevice extends CpuDevice {
  override readonly sharesMemory = false;

  override read(tensor: Tensor, length?: number, at = 0): Promise<Data> {
    return readRemotely(tensor, length, at);
  }
}

/** The copy is of what the tensor holds now. */
export async function readRemotely(tensor: Tensor, length?: number, at = 0): Promise<Data> {
  const { data } = cpuTensor('read', 'tensor', tensor);
  const copy = data.slice(at, length === undefined ? data.length : at + length);
  await setImmediate();
  return copy;
}
