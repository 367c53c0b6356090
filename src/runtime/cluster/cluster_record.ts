/**
 * Which run a cluster's name stands for. The launcher writes it, nodes that join read it. A name is free again when no node
 * of its run gives a sign of life for a lease.
 */

import type { Clock } from '../system/clock.ts';
import type { KvEntry, KvStore } from './kv_store.ts';
import { MEMBERS, parseMember } from './member.ts';
import { ClusterMissing, ClusterNameTaken } from './membership_errors.ts';

const RUN = 'run';

export interface FoundOptions {
  readonly store: KvStore;
  readonly clock: Clock;
  readonly cluster: string;
  /** Random for a new run; that of the manifest when one is resumed. */
  readonly runId: string;
  readonly leaseMs: number;
  /** Nobody else can be there, since the server was started for this run: what is found is of an attempt that has ended. */
  readonly isAlone?: boolean;
}

/**
 * Gives the name to the run, and clears away what nodes of earlier attempts have left. If any left something, watches for
 * a lease whether one is alive. Throws `ClusterNameTaken`, `KvUnavailable`.
 */
export async function foundCluster({
  store,
  clock,
  cluster,
  runId,
  leaseMs,
  isAlone = false,
}: FoundOptions): Promise<void> {
  const standing = await store.createOrGet(RUN, runId);
  const before = await signsOfLife(store, standing.value);
  if (before.length > 0 && !isAlone) await new Promise<void>((resolve) => clock.after(leaseMs, resolve));
  const after = await signsOfLife(store, standing.value);
  const isAlive = after.some((sign) => !before.some((earlier) => isSame(sign, earlier)));
  if (isAlive) throw new ClusterNameTaken(cluster, standing.value);
  for (const { key, revision } of after) await store.remove(key, revision);
  const isGiven = standing.value === runId || (await store.replace(RUN, runId, standing.revision)) !== null;
  if (!isGiven) throw new ClusterNameTaken(cluster, standing.value);
}

/** The run that the name stands for. Throws `ClusterMissing`, `KvUnavailable`. */
export async function findCluster(store: KvStore, cluster: string): Promise<string> {
  const entry = await store.find(RUN);
  if (entry === null) throw new ClusterMissing(cluster);
  return entry.value;
}

async function signsOfLife(store: KvStore, runId: string): Promise<KvEntry[]> {
  const entries = await store.list(MEMBERS);
  return entries.filter((entry) => parseMember(entry).runId === runId);
}

const isSame = (a: KvEntry, b: KvEntry): boolean => a.key === b.key && a.revision === b.revision;
