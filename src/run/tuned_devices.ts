/**
 * A tuned device has found something out by timing. A run asks its workers for that, wherever they are, and keeps it.
 */
import { agentAddress } from '../actors/placement/addresses.ts';
import type { WorkerDevice } from './chosen_device.ts';
import type { Cluster } from './cluster.ts';
import { agentProtocol, type DeviceTuning } from '../actors/protocol/agent.ts';

export interface TunedDevice extends DeviceTuning, Pick<WorkerDevice, 'node' | 'worker' | 'adapter'> {}

const patienceMs = 60_000;

/** The tuned devices of those workers whose device timed anything, once all programs are compiled. */
export async function tunedDevices({ system, devices }: Pick<Cluster, 'system' | 'devices'>): Promise<TunedDevice[]> {
  const tunings = await Promise.all(
    devices.map(({ worker }) =>
      system.ref(agentProtocol, agentAddress(worker)).ask.tuning(undefined, { timeoutMs: patienceMs }),
    ),
  );
  return devices.flatMap(({ node, worker, adapter }, i) => {
    const tuning = tunings[i];
    return tuning === null ? [] : [{ node, worker, adapter, ...tuning }];
  });
}
