/** The role workers of a node are its worker threads, each with the roles placed on it. */
import { startWorkers, type WorkerFailed, type WorkerHost } from '../runtime/cluster/index.ts';
import { toPlain } from '../topology/index.ts';
import type { BatchSource } from './batch_source.ts';
import type { RoutingSource } from './open_routing.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { slotsFor } from '../actors/placement/message_sizes.ts';
import { threadsOf, workerName } from '../actors/placement/directory.ts';
import type { WorkerStartData } from './worker_main.ts';

export interface RoleWorkersOptions {
  readonly node: string;
  /** What opens the device of each worker, as `cluster.device` has it; not `auto`. */
  readonly devices: readonly string[];
  /** System by role. */
  readonly placement: ReadonlyMap<string, string>;
  /** System by address, of the whole run. */
  readonly places: ReadonlyMap<string, string>;
  /** Bytes of the largest message, which slots must have room for. */
  readonly largestBytes: number;
  readonly run: {
    readonly runSpec: RunSpec;
    readonly gen: number;
    readonly source: BatchSource;
    readonly routing: RoutingSource | null;
    readonly fresh: readonly string[] | null;
  };
  readonly onFailure: (failure: WorkerFailed) => void;
}

/** Starts the workers of a node; `ready` of the host tells when their programs are compiled. */
export function startRoleWorkers({
  node,
  devices,
  placement,
  places,
  largestBytes,
  run,
  onFailure,
}: RoleWorkersOptions): WorkerHost {
  const { runSpec, gen, source, routing, fresh } = run;
  const { topology, baseDir, vocabulary, sublayersDigest, observed } = runSpec;
  return startWorkers({
    name: node,
    entry: new URL(import.meta.url.endsWith('.ts') ? './worker_main.ts' : './worker_main.js', import.meta.url),
    placement: threadsOf(places, node),
    slots: slotsFor(largestBytes),
    workers: devices.map((device, worker) => {
      const name = workerName(node, worker);
      const roles = [...placement].filter(([, system]) => system === name).map(([role]) => role);
      const startData: WorkerStartData = {
        topology: toPlain(topology),
        baseDir,
        vocabulary,
        sublayersDigest,
        observes: observed !== null,
        gen,
        roles,
        source,
        routing,
        fresh: fresh === null ? null : [...fresh],
        device,
      };
      return { name, data: startData };
    }),
    onFailure,
  });
}
