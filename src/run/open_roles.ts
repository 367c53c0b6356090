/**
 * A worker's device and the roles that live on it are opened together: if there is no room for the roles, nothing is
 * left.
 */
import type { Device } from '../kernels/device.ts';
import type { Fresh } from '../actors/parameters/fresh.ts';
import type { ChildSpec } from '../runtime/index.ts';
import { hostRoles, type HostOptions } from '../actors/placement/host_roles.ts';
import { openDevice } from './open_device.ts';

export interface OpenRolesOptions extends Omit<HostOptions, 'device'> {
  /** What opens the device of this worker, as `cluster.device` has it; not `auto`. */
  readonly choice: string;
  /** The device is gone, and with it what the roles have on it. */
  readonly onLost: (error: Error) => void;
}

/** What `hostRoles` is given of names that crossed a thread. */
export const freshOf = (names: readonly string[] | null): Fresh => (names === null ? null : new Set(names));

/** Opens the device of `choice` and makes the roles that live on it. Throws `OutOfSliceMemory`, `NoAdapter`. */
export async function openRoles({
  choice,
  onLost,
  ...hosted
}: OpenRolesOptions): Promise<{ readonly device: Device; readonly specs: readonly ChildSpec[] }> {
  const { memory_per_worker: bytes } = hosted.runSpec.topology.cluster;
  const { device } = await openDevice(choice, { bytes, onLost });
  try {
    return { device, specs: await hostRoles({ ...hosted, device }) };
  } catch (error) {
    await device.close();
    throw error;
  }
}
