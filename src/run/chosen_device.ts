/**
 * A chosen device is what a worker of a node computes on, and how that rounds. It is known before the worker starts,
 * since the nodes of a run must agree on it.
 */
import { z } from 'zod';
import { measureNumerics, numericsBytes, type Numerics } from '../kernels/numerics.ts';
import { openDevice } from './open_device.ts';

export const deviceFactsSchema = z.strictObject({
  device: z.enum(['cpu', 'webgpu']),
  /** Name of the adapter; null where the device is the processor. */
  adapter: z.string().nullable(),
  /** Why it is this device, in a few words. */
  reason: z.string(),
});
export type DeviceFacts = z.infer<typeof deviceFactsSchema>;

/** The device of one worker of a run. */
export interface WorkerDevice extends DeviceFacts {
  readonly node: string;
  /** The system that computes on it. */
  readonly worker: string;
}

export interface ChosenDevice {
  /**
   * What opens the same device again, as `cluster.device` has it: never `auto`, so that a worker cannot come to another
   * device than the run knows of.
   */
  readonly choice: string;
  readonly numerics: Numerics;
  readonly facts: DeviceFacts;
}

const chosen = new Map<string, Promise<ChosenDevice>>();

/** Opens and measures the device that `choice` names, once a process. Throws as `openDevice`. */
export function chosenDevice(choice: string): Promise<ChosenDevice> {
  const known = chosen.get(choice) ?? measured(choice);
  chosen.set(choice, known);
  return known;
}

async function measured(choice: string): Promise<ChosenDevice> {
  // A loss is thrown by what is asked of it, and nothing is after this.
  const { device, adapter, reason } = await openDevice(choice, { bytes: numericsBytes, onLost: () => undefined });
  try {
    const facts = { device: device.kind, adapter, reason };
    return { choice: choice === 'auto' ? device.kind : choice, numerics: await measureNumerics(device), facts };
  } finally {
    await device.close();
  }
}
