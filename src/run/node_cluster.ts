/**
 * A node cluster has the roles of a run on node processes, joined by NATS. This process starts and watches them, and is
 * itself no node: it hosts the actors that write the run directory; trainer and recovery are on the first node.
 */
import { NodeDied, type NodeProcess } from '../runtime/cluster/index.ts';
import { ClusterNameLost, removeMember } from '../runtime/cluster/nats.ts';
import { SystemClock } from '../runtime/index.ts';
import { recoveryAddress } from '../actors/placement/addresses.ts';
import type { BatchSource } from './batch_source.ts';
import { classesOf, classOfRun } from './class_of_run.ts';
import { RunFailed, type Cluster, type ClusterOptions } from './cluster.ts';
import { found, type Founding } from './founding.ts';
import { gatherNodes } from './gathering.ts';
import { openLauncherSystem, type LauncherSystem } from './launcher_system.ts';
import { layoutOf } from '../actors/placement/layout.ts';
import { holdersBySystem } from '../actors/placement/system_holders.ts';
import { linkLimitsFor } from '../actors/placement/message_sizes.ts';
import { awaitReady, writeAssignment } from './assignment.ts';
import { startNodes, type NodeClusterOptions } from './node_processes.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import { recoveryProtocol } from '../actors/protocol/recovery.ts';
import { StoreWatch } from './store_watch.ts';
import { launcherName, nodeName, nodeOfSystem, workerName } from '../actors/placement/directory.ts';

/**
 * Starts the topology's nodes and waits until all are ready. Throws `NodeDied`, `NodesMissing`, `ClusterNameTaken` ..., and
 * the reason of `meeting.signal`.
 */
export async function startNodeCluster(
  options: ClusterOptions,
  source: BatchSource,
  meeting: NodeClusterOptions,
): Promise<Cluster> {
  const launch = new NodeLaunch(options, meeting);
  try {
    return await launch.run(source);
  } catch (error) {
    await launch.stop();
    // What was waited for fails too, since it failed.
    throw launch.failure ?? error;
  }
}

const clock = new SystemClock();

/** How long nodes may take to stop by themselves; after that they are killed. */
const stopMs = 15_000;
const patienceMs = 10 * 60_000;

class NodeLaunch {
  /** Why the run has failed; null if it has not. */
  failure: Error | null = null;
  private readonly options: ClusterOptions;
  private readonly meeting: NodeClusterOptions;
  private readonly failed = Promise.withResolvers<never>();
  private readonly leaseMs: number;
  private founding: Founding | null = null;
  private watch: StoreWatch | null = null;
  private readonly nodes: NodeProcess[] = [];
  private joined: LauncherSystem | null = null;
  /** Aborted when the run has failed, or is to stop. */
  private readonly over = new AbortController();
  /** All nodes are lost, and nobody is reached any more. */
  private isAbandoned = false;
  private hasBegun = false;

  constructor(options: ClusterOptions, meeting: NodeClusterOptions) {
    this.options = options;
    this.meeting = meeting;
    this.leaseMs = options.runSpec.topology.recovery.lease_ms;
    this.failed.promise.catch(() => undefined);
    void meeting.server.failed.then((error) => this.fail(error));
    meeting.signal.addEventListener('abort', this.giveUp);
  }

  async run(source: BatchSource): Promise<Cluster> {
    this.meeting.signal.throwIfAborted();
    const { runSpec } = this.options;
    const { topology } = runSpec;
    const { name, runId, server } = this.meeting;
    const { signal } = this.over;
    const { control, store: impatient, gen } = await this.unlessFailed(this.found());
    this.watch = new StoreWatch({
      clock,
      server,
      beatMs: this.leaseMs / 4,
      isConnected: () => control.isConnected,
      notice: this.meeting.notice,
      interrupted: this.meeting.signal,
      onStuck: (error) => this.fail(error),
    });
    const store = new PatientKvStore(impatient, clock, signal);
    const names = Array.from({ length: topology.cluster.nodes }, (_, i) => nodeName(i));
    this.start(names, source, gen);
    const gathering = { topology, cluster: name, runId, names, store, clock, signal };
    const onFailure = (error: Error): void => this.fail(error);
    const members = await this.unlessFailed(gatherNodes({ ...gathering, onFailure }));
    const classOfAll = classOfRun(classesOf(members, names, topology.cluster), topology.recovery.allow_class_change);

    const { cast, systems, placement, places, largestBytes } = layoutOf(runSpec, names, launcherName);
    const id = { runId, gen };
    const incarnation = clock.wallMs();
    const incarnations = Object.fromEntries(members.map((member) => [member.node, member.incarnation]));
    await writeAssignment(store, id, {
      nodes: names,
      writer: launcherName,
      systems: [...systems],
      placement: Object.fromEntries(placement),
      incarnations: { ...incarnations, [launcherName]: incarnation },
    });
    this.joined = await openLauncherSystem({
      server: server.address,
      control,
      cluster: name,
      runId,
      incarnation,
      incarnations: new Map(Object.entries(incarnations)),
      patienceMs: topology.cluster.wait * 1000,
      limits: linkLimitsFor(largestBytes),
      clock,
      directory: (address) => {
        const at = this.isAbandoned ? undefined : places.get(address);
        return at === undefined ? null : nodeOfSystem(at);
      },
      gen,
      notice: this.meeting.notice,
      onFailure,
      isAbandoned: () => this.isAbandoned,
    });
    const ready = await this.unlessFailed(awaitReady(store, id, names));
    this.hasBegun = true;
    const { system } = this.joined;
    const recovery = system.ref(recoveryProtocol, recoveryAddress);
    return {
      system,
      numericsClass: classOfAll,
      devices: ready.flatMap(({ node, devices }) =>
        devices.map((facts, worker) => ({ node, worker: workerName(node, worker), ...facts })),
      ),
      holders: holdersBySystem(cast, placement),
      executables: () => Promise.resolve([]),
      settled: async () => {
        await recovery.ask.settled(undefined, { timeoutMs: patienceMs });
      },
      stop: () => this.stop(),
    };
  }

  /** Ends actors, nodes and connections; nodes that do not end in time are killed, and all are if the run has failed. */
  async stop(): Promise<void> {
    if (this.over.signal.aborted) this.abandon();
    this.over.abort();
    this.meeting.signal.removeEventListener('abort', this.giveUp);
    this.watch?.stop();
    await this.joined?.system.stop();
    const { nodes, founding } = this;
    for (const node of nodes) node.stop();
    const timer = clock.after(stopMs, () => nodes.forEach((node) => node.kill()));
    await Promise.all(nodes.map(({ ended }) => ended));
    timer.cancel();
    // A server that is away is not waited for: nobody who comes next would be hindered for longer than a lease.
    if (founding?.control.isConnected === true) {
      const { store, claim } = founding;
      await Promise.all(nodes.map(({ name }) => removeMember(store, name).catch(() => undefined)));
      await claim.remove().catch(() => undefined);
    }
    founding?.claim.stop();
    await this.joined?.close();
    await founding?.control.close();
  }

  /**
   * Starts the nodes. What writes down that one was started may throw: then that node is known here, and `stop` ends
   * it.
   */
  private start(names: readonly string[], source: BatchSource, gen: number): void {
    const { options: run, meeting } = this;
    for (const node of startNodes(names, { run, source, meeting, gen }, (error) => this.fail(error))) {
      this.nodes.push(node);
      if (node.pid !== undefined) meeting.started(node.name, node.pid);
    }
  }

  /** Founds the cluster. What that holds is kept also when all was over before it was done, so that it is given back. */
  private async found(): Promise<Founding> {
    const { name, runId, server } = this.meeting;
    const { topology } = this.options.runSpec;
    const founding = await found({
      server,
      clock,
      cluster: name,
      runId,
      leaseMs: this.leaseMs,
      gen: this.options.gen,
      connectMs: topology.cluster.wait * 1000,
      signal: this.over.signal,
      onLost: (why) => this.fail(why ?? new ClusterNameLost(name)),
      onBeat: () => this.watch?.answered(),
    });
    this.founding = founding;
    return founding;
  }

  /** Kills what is left of a failed run: it waits for messages that will not come. So do actors here: their asks fail. */
  private abandon(): void {
    for (const node of this.nodes) node.kill();
    for (const { name } of this.nodes) this.joined?.transport.lose(name);
    this.isAbandoned = true;
  }

  /** An interrupt while nodes start; later ones are the trainer's, which writes a checkpoint first. */
  private readonly giveUp = (): void => {
    const reason: unknown = this.meeting.signal.reason;
    if (!this.hasBegun) this.fail(reason instanceof Error ? reason : new RunFailed('interrupted'));
  };

  private fail(failure: Error): void {
    if (this.over.signal.aborted) return;
    const isEarly = failure instanceof NodeDied && !this.hasBegun;
    const error = isEarly ? new NodeDied(failure.node, failure.exitReport, 'starting') : failure;
    this.failure = error;
    this.failed.reject(error);
    this.over.abort();
    this.options.onFailure(error);
  }

  private unlessFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.failed.promise]);
  }
}
