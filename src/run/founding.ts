/**
 * The founding of a cluster begins a launch: it reaches the server, takes the cluster's name for the run, and raises
 * the gen above all that came before. A store of the run's own server that contradicts itself is moved aside once, and
 * all of this is done again.
 */
import {
  ClusterNameLost,
  foundCluster,
  GenRegister,
  NatsConnection,
  NatsKvStore,
  type BeatingRecord,
} from '../runtime/cluster/nats.ts';
import { tagOf, type Clock } from '../runtime/index.ts';
import { PatientKvStore } from './patient_kv_store.ts';
import type { ClusterOptions } from './cluster.ts';
import type { Ending } from './ending.ts';
import type { NodeClusterOptions } from './node_processes.ts';
import type { RunServer } from './run_server_port.ts';
import { launcherName } from '../actors/placement/directory.ts';

/** What a launch that has begun holds. */
export interface Founding {
  readonly control: NatsConnection;
  readonly store: NatsKvStore;
  /** Holds the cluster's name until the run has ended. */
  readonly claim: BeatingRecord;
  readonly gen: number;
}

export interface FoundingOptions {
  readonly server: RunServer;
  readonly clock: Clock;
  readonly cluster: string;
  readonly runId: string;
  readonly leaseMs: number;
  /** The least gen to begin in. */
  readonly gen: number;
  /** How long the run's own server is asked until it answers. */
  readonly connectMs: number;
  /** When aborted, no more is begun. */
  readonly signal: AbortSignal;
  /** Another launch has taken the name, or (`why`) the store cannot have it. */
  readonly onLost: (why: Error | null) => void;
  /** The store has answered a write; from founding on each quarter of a lease. */
  readonly onBeat: () => void;
}

/** How long a store that does not answer is asked for the cluster's name, and later for each beat of its claim. */
const foundingMs = 10_000;

/**
 * Founds the cluster of a run. Throws `NatsUnreachable`, `KvUnavailable`, `ClusterNameTaken`, `DamagedRecord`,
 * `DamagedStore` ...; then nothing is held.
 */
export async function found(options: FoundingOptions): Promise<Founding> {
  try {
    return await foundOnce(options);
  } catch (error) {
    const { own } = options.server;
    if (own === null || !isDamage(error) || options.signal.aborted) throw error;
    await own.renew(error);
    return await foundOnce(options);
  }
}

/** The same for a launch, whose end a lost name is. What is held is held also when all was over before it was. */
export async function foundFor(
  { runSpec, gen }: ClusterOptions,
  { name, runId, server }: NodeClusterOptions,
  { ending, clock, onBeat }: { readonly ending: Ending; readonly clock: Clock; readonly onBeat: () => void },
): Promise<Founding> {
  const { cluster, recovery } = runSpec.topology;
  return await found({
    server,
    clock,
    cluster: name,
    runId,
    leaseMs: recovery.lease_ms,
    gen,
    connectMs: cluster.wait * 1000,
    signal: ending.signal,
    onLost: (why) => ending.fail(why ?? new ClusterNameLost(name)),
    onBeat,
  });
}

const isDamage = (error: unknown): error is Error => ['DamagedRecord', 'DamagedStore'].includes(tagOf(error));

async function foundOnce(options: FoundingOptions): Promise<Founding> {
  const { server, clock, cluster, connectMs, signal } = options;
  // Nothing has shown yet that another's address is right.
  const patienceMs = server.own === null ? 0 : connectMs;
  const name = `${cluster}/${launcherName} control`;
  const control = await NatsConnection.openPatiently(server.address, name, { clock, patienceMs, signal });
  let claim: BeatingRecord | null = null;
  try {
    const store = await NatsKvStore.open(control, cluster);
    // A bucket that another launch makes at this moment takes no message yet; one without room never will.
    const patient = new PatientKvStore(store, clock, signal, foundingMs);
    claim = await foundCluster({ ...options, store: patient, isAlone: server.own !== null });
    const register = new GenRegister(patient, options.runId);
    const { gen } = await register.raiseTo(Math.max(options.gen, (await register.current()) + 1));
    signal.throwIfAborted();
    return { control, store, claim, gen };
  } catch (error) {
    // This launch ends by `error`: a name that cannot be given back beats no more, and is free after a lease.
    await claim?.remove().catch(() => undefined);
    await control.close();
    throw error;
  }
}
