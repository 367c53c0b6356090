/**
 * A thread cluster has the roles of a run on worker threads of this process: each worker owns a device and hosts the
 * roles placed on it, this thread hosts the control actors. Tensors travel in shared memory; corpora and topology go to
 * a worker once, when it starts.
 */
import { ActorSystem } from '../runtime/index.ts';
import { devicesOf } from '../topology/index.ts';
import {
  roleSupervision,
  RunFailed,
  spawnTrainer,
  spawnAgent,
  unchanging,
  type Cluster,
  type ClusterOptions,
} from './cluster.ts';
import type { BatchSource } from './batch_source.ts';
import { chosenDevice } from './chosen_device.ts';
import type { DecisionStore } from '../actors/training/decision_store.ts';
import { classOfRun } from './class_of_run.ts';
import { layoutOf } from '../actors/placement/layout.ts';
import { startRoleWorkers } from './role_workers.ts';
import { holdersBySystem } from '../actors/placement/system_holders.ts';
import { nodeName } from '../actors/placement/directory.ts';

/** Starts the topology's workers and waits until all are ready. Throws `WorkerFailed`, `WorkersMissing`, `NoAdapter`. */
export async function startThreadCluster(
  options: ClusterOptions,
  source: BatchSource,
  decisions: DecisionStore,
): Promise<Cluster> {
  const { runSpec, gen, routing, fresh, onFailure } = options;
  const node = nodeName(0);
  const devices = devicesOf(runSpec.topology.cluster, 0);
  const chosen = await Promise.all(devices.map(chosenDevice));
  const { cast, systems, placement, places, largestBytes } = layoutOf(
    runSpec,
    [{ node, workers: devices.length }],
    node,
  );
  const host = startRoleWorkers({
    node,
    devices: chosen.map(({ choice }) => choice),
    placement,
    places,
    largestBytes,
    run: { runSpec, gen, source, routing, fresh },
    onFailure: (failure) => onFailure(new RunFailed(failure.message)),
  });
  const system = new ActorSystem({
    name: node,
    transport: host.transport,
    supervision: roleSupervision,
    onFailure: (cause) => onFailure(new RunFailed(cause)),
  });
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
  spawnAgent(system, []);
  spawnTrainer(system, options, decisions, { systems, placement });
  return {
    system,
    numericsClass: classOfRun(
      chosen.map(({ numerics }, i) => ({ node, choice: devices[i], numerics })),
      false,
    ),
    devices: host.workers.map((worker, i) => ({ node, worker, ...chosen[i].facts })),
    holders: holdersBySystem(cast, placement),
    executables: () => Promise.resolve([]),
    settled: () => Promise.resolve(),
    ...unchanging,
    stop,
  };
}
