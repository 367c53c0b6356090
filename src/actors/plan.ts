/**
 * What a run will take, before it runs: where its roles live, their memory, their work, and what crosses between workers.
 * Memory is no formula beside the code but a rehearsal of it: each worker's company is gathered over a device that only
 * measures, so that the plan and the run cannot disagree.
 */
import { arenaBytes } from '../kernels/arena.ts';
import { DryDevice, type DrySlice } from '../kernels/cpu/dry_device.ts';
import { bytesPerElement } from '../kernels/dtype.ts';
import {
  countParameters,
  deviceOf,
  flopsByRole,
  trafficOf,
  workersOf,
  type Mesh,
  type ParameterCount,
  type StepTraffic,
  type Worker,
} from '../topology/index.ts';
import type { BatchPort } from './batch_port.ts';
import type { Blueprint } from './blueprint.ts';
import { castOf } from './cast.ts';
import { gather } from './company.ts';
import { placeRoles } from './place_roles.ts';

/** Bytes of an actor's slice. */
export interface SliceMemory {
  readonly parameters: number;
  /** Gradients that are alive at once. */
  readonly gradients: number;
  /** Both moments of Adam. */
  readonly moments: number;
  /** Inputs, outputs and residuals of every microbatch under way, and of generation. */
  readonly activations: number;
}

/** An actor that has a slice: a stage, a router or an expert. */
export interface ActorPlan {
  /** Whose slice it is, as `OutOfSliceMemory` would name it. */
  readonly owner: string;
  /** What was placed: its stage rank, or its expert group. */
  readonly role: string;
  readonly memory: SliceMemory;
  /** Of one training step, forward and backward; see `flopsPerToken` for what counts. */
  readonly flops: number;
}

export interface WorkerPlan {
  readonly worker: Worker;
  readonly roles: readonly string[];
  readonly actors: readonly ActorPlan[];
  /** All slices; then scratch, which all programs share; then holes that scratch left behind as it grew. */
  readonly sliceBytes: number;
  readonly scratchBytes: number;
  readonly holeBytes: number;
  /** Memory that a device must have for all of this. */
  readonly totalBytes: number;
  readonly fits: boolean;
  readonly flops: number;
}

export interface Plan {
  readonly blueprint: Blueprint;
  readonly parameters: ParameterCount;
  readonly workers: readonly WorkerPlan[];
  /** Of one training step. */
  readonly traffic: StepTraffic;
}

/** Plans a run. Nothing is allocated, compiled or started. */
export async function planRun(blueprint: Blueprint): Promise<Plan> {
  const { topology, mesh, sizes } = blueprint;
  const { global_batch_size, sequence_length } = topology.training;
  const flops = flopsByRole(mesh, sizes, global_batch_size * sequence_length);
  const placement = placeRoles(blueprint, workersOf(topology.cluster));
  const roleOf = new Map(castOf(blueprint).map(({ address, role }) => [address, role]));

  const workers: WorkerPlan[] = [];
  const arenas = new Map<string, number[]>();
  for (const worker of workersOf(topology.cluster)) {
    const roles = [...placement].filter(([, at]) => isSame(at, worker)).map(([role]) => role);
    const device = new DryDevice({ sharesMemory: isProcessor(topology, worker) });
    await gather({ blueprint, batches: noBatches, device, hosts: (role) => roles.includes(role) });
    const actors = device.slices.map((slice): ActorPlan => {
      const { owner } = slice;
      // The slice of a stage goes by its role.
      const role = roleOf.get(owner) ?? owner;
      arenas.set(role, [...(arenas.get(role) ?? []), ...arenasOf(slice)]);
      return { owner, role, memory: memoryOf(slice), flops: flopsOf(owner, role, mesh, flops.get(role)!) };
    });
    const { usedBytes, scratchBytes, peakBytes } = device;
    const budget = topology.cluster.memory_per_worker;
    workers.push({
      worker,
      roles,
      actors,
      sliceBytes: usedBytes - scratchBytes,
      scratchBytes,
      holeBytes: peakBytes - usedBytes,
      totalBytes: peakBytes,
      fits: peakBytes <= arenaBytes(budget) && device.slices.every((slice) => slice.usedBytes <= budget),
      flops: roles.reduce((sum, role) => sum + flops.get(role)!, 0),
    });
  }
  const traffic = trafficOf({ topology, mesh, placement, arenas });
  return { blueprint, parameters: countParameters(sizes), workers, traffic };
}

/** Bytes of a slice by what they were taken for. */
function memoryOf({ taken }: DrySlice): SliceMemory {
  const bytesOf = (...kinds: readonly string[]): number =>
    taken.reduce((sum, { what, bytes }) => sum + (kinds.includes(what) ? bytes : 0), 0);
  const parameters = bytesOf('parameters');
  const gradients = bytesOf('gradients');
  const moments = bytesOf('first moments', 'second moments');
  const all = taken.reduce((sum, { bytes }) => sum + bytes, 0);
  return { parameters, gradients, moments, activations: all - parameters - gradients - moments };
}

/** Elements of the flat arenas that a slice keeps its parameters in. */
function arenasOf({ taken }: DrySlice): number[] {
  return taken.filter(({ what }) => what === 'parameters').map(({ bytes }) => bytes / bytesPerElement.f32);
}

/** A role's work is its stage's, or is divided among its experts; that of routers is not counted. */
function flopsOf(owner: string, role: string, mesh: Mesh, flops: number): number {
  const group = mesh.expertGroups.find((g) => g.role === role);
  if (group !== undefined) return flops / group.experts.length;
  return owner === role ? flops : 0;
}

/** Where the word for a worker's device is `auto`, the plan is for the processor. */
const isProcessor = ({ cluster }: Blueprint['topology'], { node, worker }: Worker): boolean =>
  !deviceOf(cluster, node, worker).startsWith('webgpu');

const isSame = (a: Worker, b: Worker): boolean => a.node === b.node && a.worker === b.worker;

/** A rehearsal ends before the first batch. */
const noBatches: BatchPort = {
  microbatch: () => {
    throw new Error('a plan reads no batches');
  },
};
