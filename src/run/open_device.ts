/**
 * A device is opened by the word that `cluster.device` has for it: the processor, or an adapter of WebGPU by number or
 * by a part of its name. This is the one place that knows of both kinds; everything else knows of devices.
 */
import { ARENA_LIMIT_BYTES } from '../kernels/arena.ts';
import { CpuDevice } from '../kernels/cpu/device.ts';
import type { Device } from '../kernels/device.ts';
import { DawnMissing, DeviceRefused, NoAdapter, type DeviceLost } from '../kernels/webgpu/errors.ts';

export interface OpenDevice {
  readonly device: Device;
  /** Name of the adapter; null where the device is the processor. */
  readonly adapter: string | null;
  /** Why it is this device, in a few words. */
  readonly reason: string;
}

export interface OpenDeviceOptions {
  /** Memory for all slices and scratch. */
  readonly bytes: number;
  /** Told once when the device is gone; what is asked of it then throws the same. */
  readonly onLost: (error: DeviceLost) => void;
}

/**
 * `choice` as the topology file has it; `auto` is the first GPU, else the processor. Throws `NoAdapter` where it names an
 * adapter that there is not, `DeviceRefused` and `DawnMissing` where it cannot be opened.
 */
export async function openDevice(choice: string, options: OpenDeviceOptions): Promise<OpenDevice> {
  const reason = `cluster.device is ${choice}`;
  if (choice === 'cpu') return processor(options, reason);
  if (choice === 'webgpu') return await gpu('', options, reason);
  if (choice.startsWith('webgpu:')) return await gpu(choice.slice('webgpu:'.length).trim(), options, reason);
  if (choice !== 'auto') throw new TypeError(`no device '${choice}'`);
  try {
    return await gpu('', options, reason);
  } catch (error) {
    return processor(options, `${reason}, and ${whyNone(error)}`);
  }
}

/** What keeps `auto` from a GPU, in a few words. Throws what is no reason for another device. */
function whyNone(error: unknown): string {
  if (error instanceof NoAdapter) return 'there is no GPU';
  if (error instanceof DawnMissing || error instanceof DeviceRefused) return error.why;
  throw error;
}

/** Opens the processor; memory beyond what a worker can address is no use to it. */
function processor({ bytes }: OpenDeviceOptions, reason: string): OpenDevice {
  return { device: new CpuDevice({ bytes: Math.min(bytes, ARENA_LIMIT_BYTES) }), adapter: null, reason };
}

async function gpu(wanted: string, { bytes, onLost }: OpenDeviceOptions, reason: string): Promise<OpenDevice> {
  // Only now: it loads a native library, which a run on the processor can do without.
  const { WebGpuDevice } = await import('../kernels/webgpu/device.ts');
  const { TuningFile } = await import('../kernels/webgpu/tuning_file.ts');
  const device = await WebGpuDevice.open(wanted, { bytes, onLost, tuning: new TuningFile() });
  return { device, adapter: device.adapterName, reason };
}
