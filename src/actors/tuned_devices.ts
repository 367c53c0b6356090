/** What the devices of a run found out by timing, asked of their workers, wherever those are: a run keeps it. */
import { usherAddress } from './addresses.ts';
import type { WorkerDevice } from './chosen_device.ts';
import type { Crew } from './crew.ts';
import { usherProtocol, type DeviceTuning } from './protocol/usher.ts';

export interface TunedDevice extends DeviceTuning, Pick<WorkerDevice, 'node' | 'worker' | 'adapter'> {}

const patienceMs = 60_000;

/** Of those workers whose device timed anything, once all programs are compiled. */
export async function tunedDevices({ system, devices }: Pick<Crew, 'system' | 'devices'>): Promise<TunedDevice[]> {
  const tunings = await Promise.all(
    devices.map(({ worker }) =>
      system.ref(usherProtocol, usherAddress(worker)).ask.tuning(undefined, { timeoutMs: patienceMs }),
    ),
  );
  return devices.flatMap(({ node, worker, adapter }, i) => {
    const tuning = tunings[i];
    return tuning === null ? [] : [{ node, worker, adapter, ...tuning }];
  });
}
