/**
 * A running company in one process: the device, the actor system and the supervisor over all roles of a run. Stateful
 * roles are one unit: when one fails none goes on, and the run ends resumable.
 */
import { CpuDevice } from '../kernels/cpu/device.ts';
import type { Device } from '../kernels/device.ts';
import { createLocalSystem, supervisor, tagOf, type ActorSystem, type LocalSystemOptions } from '../runtime/index.ts';
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
  private readonly failed: Promise<never>;

  private constructor(system: ActorSystem, company: Company, device: Device, mesh: Mesh, failed: Promise<never>) {
    this.system = system;
    this.company = company;
    this.device = device;
    this.mesh = mesh;
    this.failed = failed;
    failed.catch(() => undefined);
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
    const { promise: failed, reject } = Promise.withResolvers<never>();
    // The roles' state goes together: none is restarted alone, and what escalates ends the run.
    const supervision = { intensity: 0 };
    const onFailure = (cause: string): void => reject(new RunFailed(cause));
    const system = createLocalSystem({ name: 'node-0', supervision, onFailure, ...settings });
    system.enter(gen);
    system.start(supervisor('run/roles', { strategy: 'one_for_all', ...supervision }, company.specs));
    return new Troupe(system, company, device, mesh, failed);
  }

  /** What `work` comes to, or `RunFailed` as soon as a role fails. */
  async unlessFailed<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([work, this.failed]);
    } catch (error) {
      // Who waited for a role that ended hears of it before the supervisor can say why.
      throw tagOf(error) === 'NoSuchActor' ? await this.reasonFor(error) : error;
    }
  }

  /** Stops all actors, then the device. */
  async stop(): Promise<void> {
    await this.system.stop();
    await this.device.close();
  }

  /** Why the run fails, if the supervisor says so before long; else `error` itself. */
  private async reasonFor(error: unknown): Promise<unknown> {
    const { promise: later, resolve } = Promise.withResolvers<unknown>();
    const timer = this.system.clock.after(patienceMs, () => resolve(error));
    try {
      return await Promise.race([this.failed.catch((reason: unknown) => reason), later]);
    } finally {
      timer.cancel();
    }
  }
}

/** How long a supervisor may take to stop the roles that are left: each ends after its message in hand. */
const patienceMs = 30_000;
