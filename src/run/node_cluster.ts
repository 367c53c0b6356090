/**
 * A node cluster has the roles of a run on node processes, joined by NATS. This process starts and watches them, makes the
 * assignments, and is itself no node: it hosts the actors that write the run directory, and recovery; the trainer is on
 * the node that leads.
 */
import { NodeDied } from '../runtime/cluster/index.ts';
import { removeMember } from '../runtime/cluster/nats.ts';
import { SystemClock, type ActorSystem } from '../runtime/index.ts';
import { recoveryAddress } from '../actors/placement/addresses.ts';
import { nodeName } from '../actors/placement/directory.ts';
import { recoveryProtocol } from '../actors/protocol/recovery.ts';
import type { BatchSource } from './batch_source.ts';
import { classesOf, classOfRun } from './class_of_run.ts';
import { RunFailed, type Cluster, type ClusterOptions } from './cluster.ts';
import { Ending } from './ending.ts';
import { foundFor, type Founding } from './founding.ts';
import { Formation, type Formed } from './formation.ts';
import { Gathering } from './gathering.ts';
import { NodeFleet } from './node_fleet.ts';
import { nodeStarter, type NodeClusterOptions } from './node_processes.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import { ClusterDoor } from './cluster_door.ts';
import { runFactsOf } from './run_facts.ts';
import { StoreWatch } from './store_watch.ts';

const clock = new SystemClock();

const patienceMs = 10 * 60_000;

export class NodeCluster implements Cluster {
  readonly executables = (): Promise<readonly never[]> => Promise.resolve([]);
  private readonly options: ClusterOptions;
  private readonly meeting: NodeClusterOptions;
  private readonly leaseMs: number;
  private readonly ending: Ending;
  private founding: Founding | null = null;
  private watch: StoreWatch | null = null;
  private fleet: NodeFleet | null = null;
  private formation: Formation | null = null;
  private door: ClusterDoor | null = null;
  private gathering: Gathering | null = null;
  private formed: Formed | null = null;
  private classOfAll = '';
  /** All nodes are lost, and nobody is reached any more. */
  private isAbandoned = false;
  private loss = Promise.withResolvers<Error>();
  private wish = Promise.withResolvers<string>();

  private constructor(options: ClusterOptions, meeting: NodeClusterOptions) {
    this.options = options;
    this.meeting = meeting;
    this.leaseMs = options.runSpec.topology.recovery.lease_ms;
    this.ending = new Ending(options.onFailure);
    void meeting.server.failed.then((error) => this.ending.fail(error));
    meeting.signal.addEventListener('abort', this.giveUp);
  }

  /**
   * Starts the topology's nodes and waits until all are ready. Throws `NodeDied`, `NodesMissing`, `ClusterNameTaken` ..., and
   * the reason of `meeting.signal`.
   */
  static async start(options: ClusterOptions, source: BatchSource, meeting: NodeClusterOptions): Promise<NodeCluster> {
    const cluster = new NodeCluster(options, meeting);
    try {
      await cluster.begin(source);
      return cluster;
    } catch (error) {
      await cluster.stop();
      // What was waited for fails too, since it failed.
      throw cluster.ending.failure ?? error;
    }
  }

  get system(): ActorSystem {
    return this.current.system;
  }

  get numericsClass(): string {
    return this.classOfAll;
  }

  get devices(): Formed['devices'] {
    return this.current.devices;
  }

  get holders(): Formed['holders'] {
    return this.current.holders;
  }

  get lost(): Promise<Error> {
    return this.loss.promise;
  }

  get wanted(): Promise<string> {
    return this.wish.promise;
  }

  async settled(): Promise<void> {
    const recovery = this.system.ref(recoveryProtocol, recoveryAddress);
    await recovery.ask.settled(undefined, { timeoutMs: patienceMs });
  }

  /** Once more where another node is lost meanwhile. Throws `NodesMissing`, `NodeDied` where nobody is left. */
  async reform(): Promise<readonly string[]> {
    const renewed = new Set<string>();
    for (;;) {
      this.wish = Promise.withResolvers();
      this.loss = Promise.withResolvers();
      const formed = await this.ending.unlessFailed(Promise.race([this.form(), this.loss.promise.then(() => null)]));
      if (formed === null) continue;
      this.formed = formed;
      for (const system of formed.renewed) renewed.add(system);
      return [...renewed];
    }
  }

  /** Ends actors, nodes and connections; nodes that do not end in time are killed, and all are if the run has failed. */
  async stop(): Promise<void> {
    if (this.ending.signal.aborted) this.abandon();
    this.ending.stop();
    this.meeting.signal.removeEventListener('abort', this.giveUp);
    this.watch?.stop();
    await this.formation?.system?.stop();
    const { founding, fleet } = this;
    await fleet?.stop();
    // A server that is away is not waited for: nobody who comes next would be hindered for longer than a lease.
    if (founding?.control.isConnected === true) {
      const { store, claim } = founding;
      const names = fleet?.known ?? [];
      await Promise.all(names.map((name) => removeMember(store, name).catch(() => undefined)));
      await claim.remove().catch(() => undefined);
    }
    founding?.claim.stop();
    await this.formation?.close();
    await founding?.control.close();
  }

  private get current(): Formed {
    if (this.formed === null) throw new RangeError('cluster: used before its roles were placed');
    return this.formed;
  }

  private async begin(source: BatchSource): Promise<void> {
    this.meeting.signal.throwIfAborted();
    const { options, meeting } = this;
    const { topology } = options.runSpec;
    const { name, runId, server, notice } = meeting;
    const { signal } = this.ending;
    const onFailure = (error: Error): void => this.ending.fail(error);
    const onBeat = (): void => this.watch?.answered();
    const founded = foundFor(options, meeting, { ending: this.ending, clock, onBeat });
    const founding = await this.ending.unlessFailed(founded.then((held) => (this.founding = held)));
    this.watch = new StoreWatch({
      clock,
      server,
      beatMs: this.leaseMs / 4,
      isConnected: () => founding.control.isConnected,
      notice,
      interrupted: meeting.signal,
      onStuck: onFailure,
    });
    const store = new PatientKvStore(founding.store, clock, signal);
    const facts = runFactsOf(options, source, runId);
    const names = Array.from({ length: topology.cluster.nodes }, (_, i) => nodeName(i));
    const fleet = new NodeFleet({
      restart: topology.cluster.restart,
      clock,
      start: nodeStarter({ facts, meeting, names }),
      onStarted: meeting.started,
      onDied: (error, again) => this.died(error, again),
    });
    this.fleet = fleet;
    for (const node of names) fleet.start(node);
    const gathering = Gathering.open({
      topology,
      cluster: name,
      runId,
      store,
      clock,
      signal,
      onSilent: (life, error) => {
        if (this.door?.nodes.lose(life) === true) this.died(error, null);
        else fleet.fell(life, error);
      },
      onFailure,
    });
    this.gathering = await this.ending.unlessFailed(gathering);
    const isAbandoned = (): boolean => this.isAbandoned;
    this.formation = new Formation({ ...options, meeting, founding, store, clock, isAbandoned, onFailure });
    const formed = await this.ending.unlessFailed(this.form());
    this.formed = formed;
    this.door = new ClusterDoor({
      facts,
      own: names,
      mayDiffer: topology.recovery.allow_class_change,
      started: () => fleet.lives,
      gathering: this.gathering,
      store,
      clock,
      signal,
      notice,
      onWish: (what) => this.wish.resolve(what),
      onFailure: (error) => onFailure(error instanceof Error ? error : new RunFailed(String(error))),
    });
    this.door.open();
  }

  /** Waits for all nodes that are expected, and places the roles on them. */
  private async form(): Promise<Formed> {
    const { fleet, gathering, formation, door, options } = this;
    if (fleet === null || gathering === null || formation === null)
      throw new RangeError('cluster: formed before it began');
    const { topology } = options.runSpec;
    const members = await gathering.until(() => door?.lives ?? fleet.lives);
    // The class of the run is that of the nodes that it began with.
    if (this.formed === null) {
      const names = members.map(({ node }) => node);
      const workers = classesOf(members, names, topology.cluster);
      this.classOfAll = classOfRun(workers, topology.recovery.allow_class_change);
    }
    const formed = await formation.form(members);
    for (const node of door?.nodes.dismissed() ?? []) void fleet.dismiss(node);
    return formed;
  }

  /** A node's process has ended, or gives no sign of life; `again`: how it is started again, null where it is not. */
  private died(error: NodeDied, again: string | null): void {
    if (this.ending.signal.aborted) return;
    const { node, exitReport } = error;
    if (this.formed === null) return this.ending.fail(new NodeDied(node, exitReport, 'starting'));
    if (this.door?.lives.length === 0) return this.ending.fail(error);
    this.formation?.lose(node);
    this.meeting.notice(`${error.how}; ${again ?? 'its roles go to others'}`);
    this.loss.resolve(error);
  }

  /** Kills what is left of a failed run: it waits for messages that will not come. So do actors here: their asks fail. */
  private abandon(): void {
    this.fleet?.kill();
    for (const name of this.fleet?.known ?? []) this.formation?.lose(name);
    this.isAbandoned = true;
  }

  /** An interrupt while nodes start; later ones are the trainer's, which writes a checkpoint first. */
  private readonly giveUp = (): void => {
    const reason: unknown = this.meeting.signal.reason;
    if (this.formed === null) this.ending.fail(reason instanceof Error ? reason : new RunFailed('interrupted'));
  };
}
