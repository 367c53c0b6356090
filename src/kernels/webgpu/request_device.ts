/** What an adapter is asked for when it is opened: limits as high as it has them, and the features that there is a use for. */
import { createRequire } from 'node:module';
import type { OpenAdapter } from './adapters.ts';
import { pin } from './dawn.ts';
import { DeviceRefused } from './errors.ts';

/** Limits that are raised to what the adapter has; those of alignment are lowered to it. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'minStorageBufferOffsetAlignment',
] as const;

/** Features that are used where they are. */
const wantedFeatures = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];

/** A device of the adapter; a bare one has the least limits and no features. Throws `DeviceRefused`. */
export async function requestDevice({ adapter, name }: OpenAdapter, isBare = false): Promise<GPUDevice> {
  const requiredLimits = Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]]));
  const requiredFeatures = wantedFeatures.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  const wanted = isBare ? {} : { requiredLimits, requiredFeatures };
  const device = await adapter.requestDevice(wanted).catch((cause: unknown) => {
    throw new DeviceRefused(name, cause);
  });
  return pin(device);
}

/**
 * What must be equal for two devices to give the same bits: which features there are, and so the order in which a workgroup
 * sums, follows from adapter, driver and Dawn.
 */
export function numericsClassOf({ adapter, backend }: OpenAdapter): string {
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  const { vendor, architecture, description } = adapter.info;
  return `webgpu/${backend}/${vendor}/${architecture}/${description}/dawn-${version}`;
}
