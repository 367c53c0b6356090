/**
 * A crew on node processes, joined by NATS: this process starts and watches them, and is itself no node. It hosts the
 * actors that write the run directory; trainer and rally are on the first node.
 */
import { NodeDied, NodeProcess, NodesMissing } from '../runtime/cluster/index.ts';
import {
  ClusterNameLost,
  foundCluster,
  GenRegister,
  Membership,
  NatsConnection,
  NatsKvStore,
  NatsTransport,
  type BeatingRecord,
  type LinkLimits,
  type Member as NodeMember,
} from '../runtime/cluster/nats.ts';
import { ActorSystem, HeapFramePool, stderrSink, SystemClock } from '../runtime/index.ts';
import { toPlain } from '../topology/index.ts';
import { rallyAddress } from './addresses.ts';
import type { BatchSource } from './batch_source.ts';
import { classesOf, classOfRun } from './class_of_run.ts';
import { roleSupervision, RunFailed, spawnUsher, type Crew, type CrewOptions } from './crew.ts';
import { isDawnLimitWarning } from './dawn_warnings.ts';
import { layoutOf } from './layout.ts';
import { linkLimitsFor } from './message_sizes.ts';
import { awaitReady, writeMuster } from './muster.ts';
import type { NodeBirth } from './node_main.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import { rallyProtocol } from './protocol/rally.ts';
import type { RunServer } from './run_server.ts';
import { launcherName, nodeName, nodeOfSystem, workerName } from './whereabouts.ts';

export interface ClusterOptions {
  readonly server: RunServer;
  /** The name under which the nodes find each other. */
  readonly name: string;
  readonly runId: string;
  /** Something that whoever watches the run should know. */
  readonly notice: (text: string) => void;
  /** The module that nodes run; default `node_main`. For tests. */
  readonly entry?: URL;
  /** A node's process has been started. */
  readonly started: (node: string, pid: number) => void;
}

/** Starts the topology's nodes and waits until all are ready. Throws `NodeDied`, `NodesMissing`, `ClusterNameTaken` ... */
export async function startNodeCrew(options: CrewOptions, source: BatchSource, cluster: ClusterOptions): Promise<Crew> {
  const launch = new NodeLaunch(options, cluster);
  try {
    return await launch.run(source);
  } catch (error) {
    await launch.stop();
    // What was waited for fails too, since it failed.
    throw launch.failure ?? error;
  }
}

const clock = new SystemClock();
const nodeMain = new URL(import.meta.url.endsWith('.ts') ? './node_main.ts' : './node_main.js', import.meta.url);

/** How long nodes may take to stop by themselves; after that they are killed. */
const stopMs = 15_000;
const patienceMs = 10 * 60_000;
/** How long a store that does not answer is asked for the cluster's name, and later for each beat of its claim. */
const foundingMs = 10_000;
/** Large messages reach a launcher only with a checkpoint: their memory is not kept for the next. */
const KEPT_BYTES = 2 ** 22;
/** Between looks at who has registered. */
const lookMs = 50;

class NodeLaunch {
  /** Why the run has failed; null if it has not. */
  failure: Error | null = null;
  private readonly options: CrewOptions;
  private readonly cluster: ClusterOptions;
  private readonly failed = Promise.withResolvers<never>();
  private nodes: readonly NodeProcess[] = [];
  private system: ActorSystem | null = null;
  private transport: NatsTransport | null = null;
  private control: NatsConnection | null = null;
  private membership: Membership | null = null;
  /** Holds the cluster's name until the run has ended. */
  private claim: BeatingRecord | null = null;
  /** Aborted when the run has failed, or is to stop. */
  private readonly over = new AbortController();
  /** All nodes are lost, and nobody is reached any more. */
  private isAbandoned = false;
  private hasBegun = false;

  constructor(options: CrewOptions, cluster: ClusterOptions) {
    this.options = options;
    this.cluster = cluster;
    this.failed.promise.catch(() => undefined);
    void cluster.server.failed.then((error) => this.fail(error));
  }

  async run(source: BatchSource): Promise<Crew> {
    const { blueprint, evaluationMicrobatches } = this.options;
    const { topology, baseDir, vocabulary, sublayersDigest } = blueprint;
    const { name, runId } = this.cluster;
    const server = this.cluster.server.address;
    const { lease_ms: leaseMs } = topology.recovery;
    const control = await NatsConnection.open(server, `${name}/${launcherName} control`);
    this.control = control;
    const impatient = await NatsKvStore.open(control, name);
    const { signal } = this.over;
    this.claim = await foundCluster({
      // A bucket that another launch makes at this moment takes no message yet; one without room never will.
      store: new PatientKvStore(impatient, clock, signal, foundingMs),
      clock,
      cluster: name,
      runId,
      leaseMs,
      isAlone: this.cluster.server.isOwn,
      onLost: () => this.fail(new ClusterNameLost(name)),
    });
    const store = new PatientKvStore(impatient, clock, signal);
    const register = new GenRegister(store, runId);
    const { gen } = await register.raiseTo(Math.max(this.options.gen, (await register.current()) + 1));

    const names = Array.from({ length: topology.cluster.nodes }, (_, i) => nodeName(i));
    const birth: Omit<NodeBirth, 'index'> = {
      topology: toPlain(topology),
      baseDir,
      vocabulary,
      sublayersDigest,
      source,
      server,
      cluster: name,
      runId,
      gen,
      evaluationMicrobatches,
    };
    this.nodes = names.map(
      (node, index) =>
        new NodeProcess({
          name: node,
          entry: this.cluster.entry ?? nodeMain,
          data: { ...birth, index } satisfies NodeBirth,
          onDied: (error) => this.fail(error),
          onLine: (line) => {
            if (!isDawnLimitWarning(line)) process.stderr.write(`${node}: ${line}\n`);
          },
        }),
    );
    for (const { name: node, pid } of this.nodes) if (pid !== undefined) this.cluster.started(node, pid);
    const members = await this.unlessFailed(this.gatherNodes(store, names));
    const classOfAll = classOfRun(classesOf(members, names, topology.cluster), topology.recovery.allow_class_change);

    const { systems, placement, places, largestBytes } = layoutOf(blueprint, names, launcherName);
    const id = { runId, gen };
    await writeMuster(store, id, {
      nodes: names,
      scribe: launcherName,
      systems: [...systems],
      placement: Object.fromEntries(placement),
    });
    const system = await this.join(gen, linkLimitsFor(largestBytes), (address) => {
      const at = this.isAbandoned ? undefined : places.get(address);
      return at === undefined ? null : nodeOfSystem(at);
    });
    const ready = await this.unlessFailed(awaitReady(store, id, names));
    this.hasBegun = true;
    const rally = system.ref(rallyProtocol, rallyAddress);
    return {
      system,
      numericsClass: classOfAll,
      devices: ready.flatMap(({ node, devices }) =>
        devices.map((facts, worker) => ({ node, worker: workerName(node, worker), ...facts })),
      ),
      executables: () => Promise.resolve([]),
      settled: async () => {
        await rally.ask.settled(undefined, { timeoutMs: patienceMs });
      },
      stop: () => this.stop(),
    };
  }

  /** Ends actors, nodes and connections; nodes that do not end in time are killed, and all are if the run has failed. */
  async stop(): Promise<void> {
    if (this.over.signal.aborted) this.abandon();
    this.over.abort();
    this.membership?.stop();
    await this.system?.stop();
    const { nodes } = this;
    for (const node of nodes) node.stop();
    const timer = clock.after(stopMs, () => nodes.forEach((node) => node.kill()));
    await Promise.all(nodes.map(({ ended }) => ended));
    timer.cancel();
    const { membership } = this;
    if (membership !== null) await Promise.all(nodes.map(({ name }) => membership.remove(name).catch(() => undefined)));
    await this.claim?.remove().catch(() => undefined);
    await this.transport?.close();
    await this.control?.close();
  }

  /** Kills what is left of a failed run: it waits for messages that will not come. So do actors here: their asks fail. */
  private abandon(): void {
    for (const node of this.nodes) node.kill();
    for (const { name } of this.nodes) this.transport?.lose(name);
    this.isAbandoned = true;
  }

  /** This process' own system, reached by all nodes. */
  private async join(
    gen: number,
    limits: Partial<LinkLimits>,
    directory: (address: string) => string | null,
  ): Promise<ActorSystem> {
    const { name, runId, notice } = this.cluster;
    const server = this.cluster.server.address;
    this.transport = await NatsTransport.open({
      server,
      ...(this.control === null ? {} : { control: this.control }),
      cluster: name,
      runId,
      node: launcherName,
      pool: new HeapFramePool({ maxFreeBytes: KEPT_BYTES }),
      limits,
      clock,
      directory,
      events: {
        broken: (error) => this.fail(error),
        noResponders: () => undefined,
        connection: (lane, isConnected) => {
          if (lane === 'control')
            notice(`${server.url}: NATS server ${isConnected ? 'is back' : 'is away; waiting for it'}`);
        },
        closed: (error) => this.fail(error ?? new RunFailed(`${server.url}: the connection was closed`)),
      },
    });
    const system = new ActorSystem({
      name: launcherName,
      transport: this.transport,
      supervision: roleSupervision,
      // That actors fail whose asks were given up is no news.
      logSink: (record) => {
        if (!this.isAbandoned) stderrSink(record);
      },
      onFailure: (cause) => this.fail(new RunFailed(cause)),
    });
    this.system = system;
    system.enter(gen);
    spawnUsher(system, []);
    return system;
  }

  /** Waits until all nodes have registered. Throws `NodesMissing`. */
  private async gatherNodes(store: PatientKvStore, names: readonly string[]): Promise<NodeMember[]> {
    const { cluster, recovery } = this.options.blueprint.topology;
    const waitMs = cluster.wait * 1000;
    const startMs = clock.now();
    const membership = await Membership.open({
      store,
      clock,
      runId: this.cluster.runId,
      leaseMs: recovery.lease_ms,
      events: {
        joined: () => undefined,
        left: () => undefined,
        died: ({ node }) => this.lost(node),
        failed: (error) => this.fail(error instanceof Error ? error : new RunFailed(String(error))),
      },
    });
    this.membership = membership;
    // Opened when all was over, it would poll for ever.
    if (this.over.signal.aborted) membership.stop();
    while (!this.over.signal.aborted) {
      const { alive } = membership;
      const missing = names.filter((name) => !alive.some(({ node }) => node === name));
      if (missing.length === 0) return alive.filter(({ node }) => names.includes(node));
      const waitedMs = clock.now() - startMs;
      if (waitedMs >= waitMs) throw new NodesMissing(this.cluster.name, missing, names.length, waitedMs);
      await new Promise<void>((resolve) => clock.after(lookMs, resolve));
      await membership.look();
    }
    return [];
  }

  /** A node that has given no sign of life for a lease; its process may hang. */
  private lost(node: string): void {
    const reason = `no sign of life for ${this.options.blueprint.topology.recovery.lease_ms} ms`;
    this.fail(new NodeDied(node, { exitCode: null, signal: null, reason, log: [], flight: [] }));
  }

  private fail(failure: Error): void {
    if (this.over.signal.aborted) return;
    const isEarly = failure instanceof NodeDied && !this.hasBegun;
    const error = isEarly ? new NodeDied(failure.node, failure.remains, 'starting') : failure;
    this.failure = error;
    this.failed.reject(error);
    this.over.abort();
    this.options.onFailure(error);
  }

  private unlessFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.failed.promise]);
  }
}
