/**
 * Joining adds this machine to a run that is under way: a process that the launcher did not start reads in the store what
 * the run is, checks that it can take part, and registers. It leaves when it is drained, or when somebody ends it: then it
 * asks to be drained and stays until its roles are elsewhere.
 */
import { existsSync } from 'node:fs';
import {
  findBeat,
  findCluster,
  NatsConnection,
  NatsKvStore,
  type KvStore,
  type NatsAddress,
} from '../runtime/cluster/nats.ts';
import { SystemClock, tagOf } from '../runtime/index.ts';
import { findAssignment } from './assignment.ts';
import { chosenDevice, type ChosenDevice } from './chosen_device.ts';
import { requestDrain } from './drain_request.ts';
import { takePart } from './node_part.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import { openRunOf, type RunFacts } from './run_facts.ts';

export interface JoinOptions {
  readonly server: NatsAddress;
  readonly cluster: string;
  readonly workers: number;
  /** As `cluster.device` has it; null: what the topology has for all. */
  readonly device: string | null;
  readonly notice: (text: string) => void;
  /** When aborted, the node is drained and leaves. */
  readonly signal: AbortSignal;
}

/** What keeps this machine from a run. */
export class JoinRefused extends Error {
  readonly tag = 'JoinRefused';
  readonly exitCode = 1;
  constructor(cluster: string, why: string) {
    super(`cluster ${cluster}: ${why}`);
    this.name = 'JoinRefused';
  }
}

/** The launcher of the run shows no sign of life, while the server does. */
export class LauncherSilent extends Error {
  readonly tag = 'LauncherSilent';
  readonly exitCode = 1;
  constructor(node: string, ms: number) {
    const what = `the launcher of its run has given no sign of life for ${Math.round(ms / 1000)} s`;
    super(`${node}: ${what}; launch the run again with --resume, then join it`);
    this.name = 'LauncherSilent';
  }
}

const clock = new SystemClock();
/** Pause between looks at whether this node still has a part. */
const lookMs = 500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));

/** Takes part until drained. Throws `ClusterMissing`, `JoinRefused`, `VersionDiffers`, `NatsUnreachable` ... */
export async function joinRun(options: JoinOptions): Promise<void> {
  const { server, cluster, workers, notice, signal } = options;
  const control = await NatsConnection.open(server, `${cluster}/join`);
  const leaving = new AbortController();
  try {
    const store = await NatsKvStore.open(control, cluster);
    const runId = await findCluster(store, cluster);
    const open = await openRunOf(store, cluster, runId);
    if (open === null) throw new JoinRefused(cluster, 'its run has not begun yet; join once it trains');
    const { facts, classes } = open;
    checkCorpora(cluster, facts);
    const choice = options.device ?? deviceOfAll(facts);
    const chosen = await Promise.all(Array.from({ length: workers }, () => chosenDevice(choice)));
    if (!facts.topology.recovery.allow_class_change) checkClasses(cluster, chosen, classes);
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const patient = new PatientKvStore(store, clock, leaving.signal);
    const name = await freeName(store, facts);
    const incarnation = clock.wallMs();
    const fail = (error: unknown): void => failed.reject(error);
    const scope = { name, fail };
    notice(`${name}: joining run ${facts.topology.name} with ${workers} ${workers === 1 ? 'worker' : 'workers'}`);
    const part = takePart({
      scope,
      facts,
      incarnation,
      server,
      cluster,
      control,
      store: patient,
      chosen,
      clock,
      takeOver: false,
      onDismissed: () => undefined,
    });
    const leave = await Promise.race([part, failed.promise]);
    notice(`${name}: has its roles`);
    await Promise.race([untilDismissed({ store, facts, name, incarnation, signal, notice }), failed.promise]);
    notice(`${name}: its roles are elsewhere; leaving`);
    await leave();
  } finally {
    leaving.abort();
    await control.close();
  }
}

interface Presence {
  readonly store: KvStore;
  readonly facts: RunFacts;
  readonly name: string;
  readonly incarnation: number;
  readonly signal: AbortSignal;
  readonly notice: (text: string) => void;
}

/**
 * Resolves when an assignment is without this life of the node, or the run is over; asks to be drained once interrupted.
 * Throws `LauncherSilent`.
 */
async function untilDismissed({ store, facts, name, incarnation, signal, notice }: Presence): Promise<void> {
  const { runId, topology } = facts;
  let hasAsked = false;
  let beat = { revision: -1, sinceMs: clock.now() };
  for (;;) {
    if (signal.aborted && !hasAsked) {
      hasAsked = true;
      notice(`${name}: interrupted; waiting until its roles are elsewhere`);
      await requestDrain(store, runId, name);
    }
    try {
      const assignment = await findAssignment(store, runId);
      const standing = await findBeat(store);
      if (assignment?.incarnations[name] !== incarnation || standing?.runId !== runId) return;
      if (standing.revision !== beat.revision) beat = { revision: standing.revision, sinceMs: clock.now() };
      const silentMs = clock.now() - beat.sinceMs;
      if (silentMs > 2 * topology.recovery.lease_ms) throw new LauncherSilent(name, silentMs);
    } catch (error) {
      if (tagOf(error) !== 'KvUnavailable') throw error;
      // While the server is away nobody beats, and nobody is dismissed.
      beat = { ...beat, sinceMs: clock.now() };
    }
    await pause(lookMs);
  }
}

/** The first name that no node of the run has, behind those that the launcher starts. */
async function freeName(store: KvStore, { topology }: RunFacts): Promise<string> {
  const taken = new Set(await store.keys('node'));
  for (let index = topology.cluster.nodes; ; index++) {
    if (!taken.has(`node.node-${index}`)) return `node-${index}`;
  }
}

/** Batches are never sent: every node reads them from its own disk. */
function checkCorpora(cluster: string, { source }: RunFacts): void {
  const folders = [source, ...Object.values(source.evaluations)].flatMap((blend) => blend.folders);
  const missing = folders.filter((folder) => !existsSync(folder));
  if (missing.length === 0) return;
  const what = `its packed corpora are not on this machine: ${missing.join(', ')}`;
  throw new JoinRefused(cluster, `${what}; copy the run's data there, or mount the folder under the same path`);
}

function checkClasses(cluster: string, chosen: readonly ChosenDevice[], classes: readonly string[]): void {
  const foreign = chosen.find(({ numerics }) => !classes.includes(numerics.classHash));
  if (foreign === undefined) return;
  const what = `this machine rounds differently (${foreign.numerics.device}) than those of the run`;
  throw new JoinRefused(
    cluster,
    `${what}; join from one of their kind, or launch with recovery.allow_class_change=true and do without equal bits`,
  );
}

function deviceOfAll({ topology }: RunFacts): string {
  const { device } = topology.cluster;
  return typeof device === 'string' ? device : 'cpu';
}
