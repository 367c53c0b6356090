/**
 * The WebGPU device of the tests, and tensors on it: on the machine's first adapter, be it a GPU or a driver that
 * computes on the processor.
 */
import type { Bindings, Program, Slice } from '../../../src/kernels/index.ts';
import { listAdapters, openListed, openNull, type OpenAdapter } from '../../../src/kernels/webgpu/adapters.ts';
import { WebGpuDevice, type WebGpuDeviceOptions } from '../../../src/kernels/webgpu/device.ts';
import { NoAdapter } from '../../../src/kernels/webgpu/errors.ts';
import { isCi } from '../../ci.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

/**
 * The machine's first adapter that can be used. Where there is none, and its tests are thus skipped, it is Dawn's null
 * backend, on which files can still be collected. Throws `NoAdapter` under `CI`.
 */
export async function firstAdapter(): Promise<OpenAdapter> {
  const listed = await listAdapters();
  for (const each of listed) {
    const opened = await openListed(each);
    if (opened !== null) return opened;
  }
  if (isCi(process.env)) throw new NoAdapter('', listed);
  return await openNull();
}

export async function openDevice(options: Partial<WebGpuDeviceOptions> = {}): Promise<WebGpuDevice> {
  return await WebGpuDevice.over(await firstAdapter(), { bytes: 2 ** 30, ...options });
}

/** A tensor for each input and output of a program, as long as it can be. */
export function tensorsOf(slice: Slice, { inputs, outputs }: Program): Bindings {
  return Object.fromEntries(
    [...inputs, ...outputs].map(({ name, value: { type } }) => [
      name,
      slice.tensor(
        name,
        type.dtype,
        type.shape.map((dim) => (typeof dim === 'number' ? dim : dim.max)),
      ),
    ]),
  );
}
