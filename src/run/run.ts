/**
 * A run has a cluster that is started, roles that hold its parameters, and one way to fail. Stateful roles are one
 * unit: when one fails none goes on, and the run ends resumable.
 */
import { tagOf, type ActorSystem, type LocalSystemOptions } from '../runtime/index.ts';
import type { Mesh } from '../topology/index.ts';
import type { BatchPort } from '../actors/stage/batch_port.ts';
import { openBatches, type BatchSource } from './batch_source.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import type { SystemHolders } from '../actors/placement/system_holders.ts';
import { startLocalCluster, type Cluster } from './cluster.ts';
import { MemoryDecisionStore, type DecisionStore } from '../actors/training/decision_store.ts';
import type { Evaluation } from '../actors/training/evaluation.ts';
import type { NodeClusterOptions } from './node_processes.ts';
import type { RoutingSource } from './open_routing.ts';
import { startThreadCluster } from './thread_cluster.ts';

export interface RunOptions {
  readonly runSpec: RunSpec;
  /** Packed corpora, or batches of the caller's own, which stay in this thread. */
  readonly batches: BatchSource | BatchPort;
  /** The least gen to begin in. */
  readonly gen: number;
  /** Default: none, for who only generates text. */
  readonly evaluations?: readonly Evaluation[];
  /** Where choices of tokens are kept, and come from; default: neither. */
  readonly routing?: RoutingSource | null;
  /** Names of the parameters that begin with initial values, of a run that is handed all others before it does anything; default: all. */
  readonly fresh?: readonly string[] | null;
  /** Where steps are decided, by a cluster in this process; default in memory. */
  readonly decisions?: DecisionStore;
  /** Where nodes meet; without it the cluster is in this process. */
  readonly nodes?: NodeClusterOptions;
  /** Clock, faults and checks of the actor system, for tests; a cluster in this thread only. */
  readonly system?: LocalSystemOptions;
}

export class Run {
  readonly mesh: Mesh;
  readonly cluster: Cluster;
  private readonly failed: Promise<never>;

  private constructor(mesh: Mesh, cluster: Cluster, failed: Promise<never>) {
    this.mesh = mesh;
    this.cluster = cluster;
    this.failed = failed;
  }

  /** Takes all memory, compiles all programs and starts all roles. Throws `OutOfSliceMemory`, `NoAdapter`, `WorkerFailed`, `NodeDied`. */
  static async start(given: RunOptions): Promise<Run> {
    const { runSpec, batches, gen, system, nodes, evaluations = [], routing = null, fresh = null } = given;
    const { topology } = runSpec;
    const { decisions = new MemoryDecisionStore() } = given;
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    const options = { runSpec, gen, evaluations, routing, fresh, onFailure: reject };
    const isPacked = 'folders' in batches;
    const cluster = await (async () => {
      if (isPacked && nodes !== undefined) {
        // Only now: it loads the client of NATS, which a run in one process can do without.
        const { NodeCluster } = await import('./node_cluster.ts');
        return await NodeCluster.start(options, batches, nodes);
      }
      if (isPacked && topology.cluster.workers_per_node > 1)
        return await startThreadCluster(options, batches, decisions);
      return await startLocalCluster(options, isPacked ? openBatches(batches, topology) : batches, decisions, system);
    })();
    return new Run(runSpec.mesh, cluster, failed);
  }

  get system(): ActorSystem {
    return this.cluster.system;
  }

  /** All that hold parameters, by system. */
  get holders(): readonly SystemHolders[] {
    return this.cluster.holders;
  }

  /** What `work` comes to; `RunFailed` as soon as a role fails, `NodeDied` as soon as a node is lost. */
  unlessFailed<T>(work: Promise<T>): Promise<T> {
    const { lost } = this.cluster;
    return this.unlessOver(Promise.race([work, lost.then((error) => Promise.reject(error))]));
  }

  /** The same for work that goes on without a node: only what ends the run is thrown. */
  async unlessOver<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([work, this.failed]);
    } catch (error) {
      // Who waited for a role that ended hears of it before the supervisor can say why.
      throw tagOf(error) === 'NoSuchActor' ? await this.reasonFor(error) : error;
    }
  }

  stop(): Promise<void> {
    return this.cluster.stop();
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
