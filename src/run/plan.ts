/**
 * A plan says what a run will take, before it runs: where its roles live, their memory, their work, and what crosses
 * between workers. Memory is no formula beside the code but a rehearsal of it (`rehearsal.ts`), so that the plan and
 * the run cannot disagree.
 */
import { ARENA_LIMIT_BYTES, arenaBytes } from '../kernels/arena.ts';
import { DryMemory, type Taking } from '../kernels/cpu/dry_memory.ts';
import { OutOfSliceMemory } from '../kernels/errors.ts';
import { deviceOf, trafficOf, workersOf, type StepTraffic, type Worker } from '../topology/index.ts';
import { countParameters, type ParameterCount } from '../models/costs.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { castOf, flopsByRole } from '../actors/placement/cast.ts';
import type { CastEntry } from '../actors/placement/cast_entry.ts';
import { placeRoles } from '../actors/placement/place_roles.ts';
import { sumsOf } from '../actors/parameters/sum_traffic.ts';
import { Rehearsals, type RehearsedSlice, type SliceMemory } from './rehearsal.ts';

/** An actor that has a slice: a stage, a router or an expert. */
export interface ActorPlan {
  /** Whose slice it is, as `OutOfSliceMemory` would name it. */
  readonly owner: string;
  /** What was placed: its stage rank, or its expert group. */
  readonly role: string;
  readonly memory: SliceMemory;
  /** FLOPs of one training step, forward and backward; see `flopsPerToken` for what counts. */
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
  /** Memory that the device may have: `cluster.memory_per_worker`, on the processor as much as a worker can address. */
  readonly limitBytes: number;
  readonly device: 'cpu' | 'webgpu';
  readonly fits: boolean;
  readonly flops: number;
}

export interface Plan {
  readonly runSpec: RunSpec;
  readonly parameters: ParameterCount;
  readonly workers: readonly WorkerPlan[];
  /** What crosses between workers in one training step. */
  readonly traffic: StepTraffic;
}

/** A model of which the bytes cannot be counted, let alone had. */
export class TooLargeToPlan extends Error {
  readonly tag = 'TooLargeToPlan';
  readonly exitCode = 2;
  constructor(cause: OutOfSliceMemory) {
    const { owner, askedBytes, usedBytes, budgetBytes } = cause;
    super(
      `${owner}: ${usedBytes} + ${askedBytes} bytes on one worker, and a plan counts to ${budgetBytes}; lower model.hidden_size, model.intermediate_size or the microbatch, or add workers`,
      { cause },
    );
    this.name = 'TooLargeToPlan';
  }
}

/** Plans a run. Nothing is allocated, compiled or started. Throws `TooLargeToPlan`. */
export async function planRun(runSpec: RunSpec): Promise<Plan> {
  const { topology, model, config } = runSpec;
  const cast = castOf(runSpec);
  const flops = flopsByRole(cast);
  const everyone = workersOf(topology.cluster);
  const placement = placeRoles(runSpec, everyone);
  const rolesOf = new Map<Worker, string[]>(everyone.map((worker) => [worker, []]));
  for (const [role, worker] of placement) rolesOf.get(worker)!.push(role);

  const rehearsals = new Rehearsals(runSpec);
  const owners = ownersOf(cast);
  const workers: WorkerPlan[] = [];
  for (const [worker, roles] of rolesOf) {
    const memory = new DryMemory();
    const device = deviceKindOf(topology, worker);
    const place = { sharesMemory: device === 'cpu', hosts: hostsOf(roles) };
    const slices: RehearsedSlice[] = [];
    const actors: ActorPlan[] = [];
    for (const role of roles) {
      const rehearsed = await rehearsals.of(role, place);
      book(memory, role, rehearsed.takings);
      for (const [at, entry] of owners.get(role)!.entries()) {
        const slice = rehearsed.slices[at];
        slices.push(slice);
        actors.push({ owner: entry.slice!, role, memory: slice.memory, flops: entry.flops });
      }
    }
    const { usedBytes, scratchBytes, peakBytes } = memory;
    const { memory_per_worker: budget } = topology.cluster;
    const limitBytes = device === 'cpu' ? Math.min(budget, ARENA_LIMIT_BYTES) : budget;
    workers.push({
      worker,
      roles,
      actors,
      sliceBytes: usedBytes - scratchBytes,
      scratchBytes,
      holeBytes: peakBytes - usedBytes,
      totalBytes: peakBytes,
      limitBytes,
      device,
      fits: peakBytes <= arenaBytes(limitBytes) && slices.every((slice) => slice.usedBytes <= limitBytes),
      flops: roles.reduce((sum, role) => sum + flops.get(role)!, 0),
    });
  }
  const actors = cast.map(({ address, role, edges, share }) => ({ address, role, edges, sums: () => sumsOf(share) }));
  const traffic = trafficOf({ actors, placement, microBatches: topology.parallelism.micro_batches });
  return { runSpec, parameters: countParameters(model, config), workers, traffic };
}

function book(memory: DryMemory, role: string, takings: readonly Taking[]): void {
  try {
    for (const taking of takings) memory.take(role, taking);
  } catch (error) {
    throw error instanceof OutOfSliceMemory ? new TooLargeToPlan(error) : error;
  }
}

/** The actors of each role that have a slice, in the order of the cast. */
function ownersOf(cast: readonly CastEntry[]): Map<string, CastEntry[]> {
  const owners = new Map<string, CastEntry[]>();
  for (const entry of cast) {
    if (entry.slice === null) continue;
    const known = owners.get(entry.role);
    if (known === undefined) owners.set(entry.role, [entry]);
    else known.push(entry);
  }
  return owners;
}

/** Where the word for a worker's device is `auto`, the plan is for the processor. */
const deviceKindOf = ({ cluster }: RunSpec['topology'], { node, worker }: Worker): WorkerPlan['device'] =>
  deviceOf(cluster, node, worker).startsWith('webgpu') ? 'webgpu' : 'cpu';

function hostsOf(roles: readonly string[]): (role: string) => boolean {
  const here = new Set(roles);
  return (role) => here.has(role);
}
