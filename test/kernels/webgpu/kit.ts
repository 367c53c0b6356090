/** The WebGPU device of the tests: on the machine's first adapter, be it a GPU or a driver that computes on the processor. */
import { listAdapters, openListed } from '../../../src/kernels/webgpu/adapters.ts';
import { WebGpuDevice, type WebGpuDeviceOptions } from '../../../src/kernels/webgpu/device.ts';
import { NoAdapter } from '../../../src/kernels/webgpu/errors.ts';

// Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
process.env.GALLIVM_PERF ??= 'nopt';

/** Throws `NoAdapter` where there is none: `npm test` provides one where it can (see bin/provide_vulkan.js). */
export async function openDevice(options: Partial<WebGpuDeviceOptions> = {}): Promise<WebGpuDevice> {
  const listed = await listAdapters();
  for (const each of listed) {
    const opened = await openListed(each);
    if (opened !== null) return await WebGpuDevice.over(opened, { bytes: 2 ** 30, ...options });
  }
  throw new NoAdapter('', listed);
}
