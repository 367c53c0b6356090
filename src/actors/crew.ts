/**
 * Where the roles of a run live, seen from the control actors: one system to speak to all of them. A crew is in this
 * thread, or spread over worker threads; the numbers are the same.
 */
import { CpuDevice } from '../kernels/cpu/device.ts';
import type { Executable } from '../kernels/device.ts';
import {
  createLocalSystem,
  supervisor,
  type ActorSystem,
  type ChildSpec,
  type LocalSystemOptions,
} from '../runtime/index.ts';
import type { Mesh, Topology } from '../topology/index.ts';
import type { BatchPort } from './batch_port.ts';
import { gather } from './company.ts';

export interface Crew {
  /** Control actors are spawned here. */
  readonly system: ActorSystem;
  /** What was compiled in this thread, with its times. */
  executables(): Promise<readonly Executable[]>;
  /** Stops all actors, then the devices. */
  stop(): Promise<void>;
}

export interface CrewOptions {
  readonly topology: Topology;
  readonly mesh: Mesh;
  readonly vocabulary: number;
  readonly gen: number;
  readonly onFailure: (cause: string) => void;
}

/** The roles of one worker as one unit: none is restarted alone, and what escalates ends the run. */
export const roleSupervision = { intensity: 0 };

export function rolesSpec(worker: string, specs: readonly ChildSpec[]): ChildSpec {
  return supervisor(`run/roles-${worker}`, { strategy: 'one_for_all', ...roleSupervision }, specs);
}

/** All roles in this thread. Throws `OutOfSliceMemory`. */
export async function startLocalCrew(
  { topology, mesh, vocabulary, gen, onFailure }: CrewOptions,
  batches: BatchPort,
  settings: LocalSystemOptions = {},
): Promise<Crew> {
  const device = new CpuDevice({ bytes: topology.cluster.memory_per_worker });
  const specs = await gather({ topology, mesh, vocabulary, batches, device, hosts: () => true });
  const system = createLocalSystem({ name: 'node-0', supervision: roleSupervision, onFailure, ...settings });
  system.enter(gen);
  system.start(rolesSpec('w0', specs));
  return {
    system,
    executables: () => device.executables(),
    stop: async () => {
      await system.stop();
      await device.close();
    },
  };
}
