/**
 * A running company: its crew, the cast that others need to know of, and its one way to fail. Stateful roles are one
 * unit: when one fails none goes on, and the run ends resumable.
 */
import { tagOf, type ActorSystem, type LocalSystemOptions } from '../runtime/index.ts';
import type { Mesh } from '../topology/index.ts';
import type { BatchPort } from './batch_port.ts';
import { openBatches, type BatchSource } from './batch_source.ts';
import type { Blueprint } from './blueprint.ts';
import { castOf, type Member } from './cast.ts';
import { startLocalCrew, type Crew } from './crew.ts';
import { MemoryDecisionStore, type DecisionStore } from './decision_store.ts';
import { startNodeCrew } from './node_crew.ts';
import type { ClusterOptions } from './node_processes.ts';
import { startThreadCrew } from './thread_crew.ts';

export interface TroupeOptions {
  readonly blueprint: Blueprint;
  /** Packed corpora, or batches of the caller's own, which stay in this thread. */
  readonly batches: BatchSource | BatchPort;
  /** The least gen to begin in. */
  readonly gen: number;
  /** Default: none, for who only generates text. */
  readonly evaluationMicrobatches?: number;
  /** Where steps are decided, by a crew in this process; default in memory. */
  readonly decisions?: DecisionStore;
  /** Where nodes meet; without it the crew is in this process. */
  readonly cluster?: ClusterOptions;
  /** Clock, faults and checks of the actor system, for tests; a crew in this thread only. */
  readonly system?: LocalSystemOptions;
}

export class Troupe {
  readonly mesh: Mesh;
  readonly crew: Crew;
  /** Every actor that holds parameters. */
  readonly holders: readonly Member[];
  private readonly failed: Promise<never>;

  private constructor(mesh: Mesh, crew: Crew, holders: readonly Member[], failed: Promise<never>) {
    this.mesh = mesh;
    this.crew = crew;
    this.holders = holders;
    this.failed = failed;
  }

  /** Takes all memory, compiles all programs and starts all roles. Throws `OutOfSliceMemory`, `NoAdapter`, `WorkerFailed`, `NodeDied`. */
  static async start(given: TroupeOptions): Promise<Troupe> {
    const { blueprint, batches, gen, system, cluster, evaluationMicrobatches = 0 } = given;
    const { topology } = blueprint;
    const { decisions = new MemoryDecisionStore() } = given;
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    const options = { blueprint, gen, evaluationMicrobatches, onFailure: reject };
    const isPacked = 'folders' in batches;
    const crew = await (() => {
      if (isPacked && cluster !== undefined) return startNodeCrew(options, batches, cluster);
      if (isPacked && topology.cluster.workers_per_node > 1) return startThreadCrew(options, batches, decisions);
      return startLocalCrew(options, isPacked ? openBatches(batches, topology) : batches, decisions, system);
    })();
    const holders = castOf(blueprint).filter(({ parameters }) => parameters.length > 0);
    return new Troupe(blueprint.mesh, crew, holders, failed);
  }

  get system(): ActorSystem {
    return this.crew.system;
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

  stop(): Promise<void> {
    return this.crew.stop();
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
