/**
 * The device that `cluster.device` asks for: the processor, or an adapter of WebGPU by number or by a part of its name.
 * The one place that knows of both kinds; everything else knows of devices.
 */
import { CpuDevice } from '../kernels/cpu/device.ts';
import type { Device } from '../kernels/device.ts';
import { NoAdapter, type DeviceLost } from '../kernels/webgpu/errors.ts';

export interface OpenDevice {
  readonly device: Device;
  /** Its name; null where it is the processor. */
  readonly adapter: string | null;
  /** Why it is this one, in a few words. */
  readonly reason: string;
}

export interface OpenDeviceOptions {
  /** For all slices and scratch. */
  readonly bytes: number;
  /** Told once when the device is gone; what is asked of it then throws the same. */
  readonly onLost: (error: DeviceLost) => void;
  /** Default `autoTakesGpu`. */
  readonly autoTakesGpu?: boolean;
}

/**
 * Whether `auto` takes a GPU where there is one. Not before the `webgpu` device has been measured on GPUs: until then it
 * would change what runs compute on, and their bits, for a gain that nobody has seen. No GPU is even looked for.
 */
const autoTakesGpu = false;

/** `choice` as the topology file has it. Throws `NoAdapter` where it names an adapter that there is not. */
export async function openDevice(choice: string, options: OpenDeviceOptions): Promise<OpenDevice> {
  const reason = `cluster.device is ${choice}`;
  if (choice === 'cpu') return processor(options, reason);
  if (choice === 'webgpu') return await gpu('', options, reason);
  if (choice.startsWith('webgpu:')) return await gpu(choice.slice('webgpu:'.length).trim(), options, reason);
  if (choice !== 'auto') throw new TypeError(`no device '${choice}'`);
  if (!(options.autoTakesGpu ?? autoTakesGpu)) return processor(options, `${reason}, in this version the processor`);
  try {
    return await gpu('', options, reason);
  } catch (error) {
    if (!(error instanceof NoAdapter)) throw error;
    return processor(options, `${reason}, and there is no GPU`);
  }
}

function processor({ bytes }: OpenDeviceOptions, reason: string): OpenDevice {
  return { device: new CpuDevice({ bytes }), adapter: null, reason };
}

async function gpu(wanted: string, { bytes, onLost }: OpenDeviceOptions, reason: string): Promise<OpenDevice> {
  // Only now: it loads a native library, which a run on the processor can do without.
  const { WebGpuDevice } = await import('../kernels/webgpu/device.ts');
  const { TuningFile } = await import('../kernels/webgpu/tuning_file.ts');
  const device = await WebGpuDevice.open(wanted, { bytes, onLost, tuning: new TuningFile() });
  return { device, adapter: device.adapterName, reason };
}
