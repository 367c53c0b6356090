/**
 * A running company in one process: the device, the actor system and the supervisor over all roles of a run. Stateful
 * roles are one unit: when one fails none goes on, and the run ends resumable.
 */
import { CpuDevice } from '../kernels/cpu/device.ts';
import type { Device } from '../kernels/device.ts';
import { createLocalSystem, supervisor, type ActorSystem, type LocalSystemOptions } from '../runtime/index.ts';
import { flopsByRole, meshOf, modelSizesOf, place, type Mesh, type Topology } from '../topology/index.ts';
import type { BatchPort } from './batch_port.ts';
import { gather, type Company } from './company.ts';

export interface TroupeOptions {
  readonly topology: Topology;
  readonly vocabulary: number;
  readonly batches: BatchPort;
  readonly gen: number;
  /** Clock, faults and checks of the actor system, for tests. */
  readonly system?: LocalSystemOptions;
}

/** A role failed; what it said is in the message. */
export class RunFailed extends Error {
  readonly tag = 'RunFailed';
  readonly exitCode = 1;
  constructor(cause: string) {
    super(`${cause}; what was checkpointed is safe, continue with --resume`);
    this.name = 'RunFailed';
  }
}

export class Troupe {
  readonly system: ActorSystem;
  readonly company: Company;
  readonly device: Device;
  readonly mesh: Mesh;
  /** Rejects with `RunFailed` when a role fails; never resolves. */
  readonly failure: Promise<never>;

  private constructor(system: ActorSystem, company: Company, device: Device, mesh: Mesh, failure: Promise<never>) {
    this.system = system;
    this.company = company;
    this.device = device;
    this.mesh = mesh;
    this.failure = failure;
  }

  /** Takes all memory, compiles all programs and starts all roles. Throws `OutOfSliceMemory`. */
  static async start({ topology, vocabulary, batches, gen, system: settings }: TroupeOptions): Promise<Troupe> {
    const mesh = meshOf(topology);
    const device = new CpuDevice({ bytes: topology.cluster.memory_per_worker });
    const { global_batch_size, sequence_length } = topology.training;
    const flops = flopsByRole(
      mesh,
      modelSizesOf(topology, vocabulary),
      global_batch_size * sequence_length,
      sequence_length,
    );
    const placement = place(mesh, flops, [{ node: 0, worker: 0 }]);
    const devices = new Map([['0/0', device]]);
    const deviceOf = (role: string): Device => {
      const worker = placement.get(role);
      const found = worker && devices.get(`${worker.node}/${worker.worker}`);
      if (found === undefined) throw new RangeError(`${role} is placed on a worker that is not here`);
      return found;
    };
    const company = await gather({ topology, mesh, vocabulary, batches, deviceOf });
    const { promise: failure, reject } = Promise.withResolvers<never>();
    failure.catch(() => undefined);
    const system = createLocalSystem({
      name: 'node-0',
      onFailure: (cause) => reject(new RunFailed(cause)),
      ...settings,
    });
    system.enter(gen);
    // The roles' state goes together: none is restarted alone.
    system.start(supervisor('run/roles', { strategy: 'one_for_all', intensity: 0 }, company.specs));
    return new Troupe(system, company, device, mesh, failure);
  }

  /** Stops all actors, then the device. */
  async stop(): Promise<void> {
    await this.system.stop();
    await this.device.close();
  }
}
