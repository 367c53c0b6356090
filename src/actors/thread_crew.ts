/**
 * A crew on worker threads: each worker owns a device and hosts the roles placed on it, this thread hosts the control
 * actors. Tensors travel in shared memory; corpora and topology go to a worker once, when it starts.
 */
import type { Parameter } from '../models/parameter.ts';
import { elements } from '../kernels/shape.ts';
import { ActorSystem, SLOTS, type SlotClass } from '../runtime/index.ts';
import { startWorkers } from '../runtime/cluster/index.ts';
import { flopsByRole, modelSizesOf, place, toPlain, type Placement } from '../topology/index.ts';
import { checkpointerAddress, trainerAddress } from './addresses.ts';
import type { BatchSource } from './batch_source.ts';
import { castOf } from './cast.ts';
import { modelsOf } from './company.ts';
import { roleSupervision, type Crew, type CrewOptions } from './crew.ts';
import type { WorkerBirth } from './worker_main.ts';

const node = 'node-0';
const workerName = (worker: number): string => `${node}.worker-${worker}`;

/** Starts the topology's workers and waits until all are ready. Throws `WorkerFailed`, `WorkersMissing`. */
export async function startThreadCrew(options: CrewOptions, source: BatchSource): Promise<Crew> {
  const { topology, mesh, vocabulary, gen, onFailure } = options;
  const count = topology.cluster.workers_per_node;
  const placement = placementOf(options, count);
  const { shape, model } = modelsOf(topology, mesh, vocabulary);
  const addresses = new Map([trainerAddress, checkpointerAddress].map((address) => [address, node]));
  const cast = castOf(mesh, model, shape);
  for (const { address, role } of cast) addresses.set(address, workerName(placement.get(role)!.worker));
  const rowBytes = 4 * model.batch * model.sequence * shape.hidden * (shape.mixture?.topK ?? 1);
  const host = startWorkers({
    name: node,
    entry: new URL(import.meta.url.endsWith('.ts') ? './worker_main.ts' : './worker_main.js', import.meta.url),
    placement: addresses,
    slots: slotsFor(Math.max(rowBytes, ...cast.map(({ parameters }) => stateBytes(parameters)))),
    workers: Array.from({ length: count }, (_, worker) => {
      const roles = [...placement].filter(([, place]) => place.worker === worker).map(([role]) => role);
      const birth: WorkerBirth = { topology: toPlain(topology), vocabulary, gen, roles, source };
      return { name: workerName(worker), data: birth };
    }),
    onFailure: (failure) => onFailure(failure.message),
  });
  const system = new ActorSystem({ name: node, transport: host.transport, supervision: roleSupervision, onFailure });
  const stop = async (): Promise<void> => {
    await system.stop();
    await host.stop();
  };
  try {
    await host.ready();
  } catch (error) {
    await stop();
    throw error;
  }
  system.enter(gen);
  return { system, executables: () => Promise.resolve([]), stop };
}

/** Largest message about a role's parameters: one gradient of all of them, or the largest with its two moments. */
function stateBytes(parameters: readonly Parameter[]): number {
  const sizes = parameters.map(({ shape }) => 4 * elements(shape));
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return Math.max(total, 3 * Math.max(0, ...sizes));
}

/** The usual slots, and a class above them where a message needs one; what is never touched takes no memory. */
function slotsFor(largestBytes: number): readonly SlotClass[] {
  // Room for the header, and for the space between tensors.
  const bytes = 2 ** Math.ceil(Math.log2(largestBytes * 1.01 + 2 ** 16));
  const usual = SLOTS[SLOTS.length - 1].bytes;
  return bytes > usual ? [...SLOTS, { bytes, count: 4 }] : SLOTS;
}

/** Which worker hosts which role: a pure function of mesh and workers. */
function placementOf({ topology, mesh, vocabulary }: CrewOptions, workers: number): Placement {
  const { global_batch_size, sequence_length } = topology.training;
  const sizes = modelSizesOf(topology, vocabulary);
  const flops = flopsByRole(mesh, sizes, global_batch_size * sequence_length, sequence_length);
  return place(
    mesh,
    flops,
    Array.from({ length: workers }, (_, worker) => ({ node: 0, worker })),
  );
}
