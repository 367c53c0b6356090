/** A worker's device and the roles that live on it, opened together: if there is no room for the roles, nothing is left. */
import type { Device } from '../kernels/device.ts';
import type { ChildSpec } from '../runtime/index.ts';
import { gather, type CompanyOptions } from './company.ts';
import { openDevice } from './open_device.ts';

export interface OpenCompanyOptions extends Omit<CompanyOptions, 'device'> {
  /** What opens the device of this worker, as `cluster.device` has it; not `auto`. */
  readonly choice: string;
  /** The device is gone, and with it what the roles have on it. */
  readonly onLost: (error: Error) => void;
}

/** The device that was chosen, and the roles that live on it. Throws `OutOfSliceMemory`, `NoAdapter`. */
export async function openCompany({
  choice,
  onLost,
  ...company
}: OpenCompanyOptions): Promise<{ readonly device: Device; readonly specs: readonly ChildSpec[] }> {
  const { memory_per_worker: bytes } = company.blueprint.topology.cluster;
  const { device } = await openDevice(choice, { bytes, onLost });
  try {
    return { device, specs: await gather({ ...company, device }) };
  } catch (error) {
    await device.close();
    throw error;
  }
}
