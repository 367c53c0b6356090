/**
 * Which run a cluster's name stands for. The launcher writes it, and again with every beat until the run ends; nodes that
 * join read it. A name is free when its record is gone, or when neither it nor a node of its run shows a beat for a lease.
 */

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../system/clock.ts';
import { BeatingRecord } from './beating_record.ts';
import { parseRecord } from './kv_record.ts';
import type { KvEntry, KvStore } from './kv_store.ts';
import { MEMBERS, parseMember } from './member.ts';
import { ClusterMissing, ClusterNameTaken } from './membership_errors.ts';

const RUN = 'run';

/** `launch` is random: a run that is resumed has another. */
const claimSchema = z.strictObject({ runId: z.string(), launch: z.string(), beat: z.int() });
type Claim = z.infer<typeof claimSchema>;

export interface FoundOptions {
  readonly store: KvStore;
  readonly clock: Clock;
  readonly cluster: string;
  /** Random for a new run; that of the manifest when one is resumed. */
  readonly runId: string;
  readonly leaseMs: number;
  /** Nobody else can be there, since the server was started for this run: what is found is of an attempt that has ended. */
  readonly isAlone?: boolean;
  /** Another launch has taken the name, since ours showed no beat for a lease. */
  readonly onLost: () => void;
}

/**
 * Gives the name to the run until the record that it returns is removed, and clears away what nodes of earlier attempts have
 * left. Where a record stands, watches for a lease whether its run is alive. Throws `ClusterNameTaken`, `KvUnavailable`,
 * `DamagedRecord`.
 */
export async function foundCluster(options: FoundOptions): Promise<BeatingRecord> {
  const { store, clock, cluster, runId, leaseMs, onLost } = options;
  const launch = randomUUID();
  const format = (beat: number): string => JSON.stringify({ runId, launch, beat } satisfies Claim);
  const isOurs = (entry: KvEntry): boolean => parseClaim(entry).launch === launch;
  const standing = await store.createOrGet(RUN, format(0));
  const { runId: former } = parseClaim(standing);
  if (!isOurs(standing) && (await isAlive(options, former))) throw new ClusterNameTaken(cluster, former);
  const given = isOurs(standing) ? standing : await store.replace(RUN, format(0), standing.revision);
  if (given === null) {
    // It showed a beat, or ended just now, or another launch was faster.
    const now = await store.find(RUN);
    if (now === null) return await foundCluster(options);
    throw new ClusterNameTaken(cluster, parseClaim(now).runId);
  }
  const timing = { store, clock, key: RUN, beatMs: leaseMs / 4 };
  const record = new BeatingRecord({ ...timing, format, isOurs, onLost }, given.revision);
  try {
    const left = [...(await signsOfLife(store, former)), ...(former === runId ? [] : await signsOfLife(store, runId))];
    for (const { key, revision } of left) await store.remove(key, revision);
  } catch (error) {
    record.stop();
    throw error;
  }
  return record;
}

/** The run that the name stands for. Throws `ClusterMissing`, `KvUnavailable`, `DamagedRecord`. */
export async function findCluster(store: KvStore, cluster: string): Promise<string> {
  const entry = await store.find(RUN);
  if (entry === null) throw new ClusterMissing(cluster);
  return parseClaim(entry).runId;
}

/** Whether a node of a run shows a beat within a lease. */
async function isAlive({ store, clock, leaseMs, isAlone = false }: FoundOptions, runId: string): Promise<boolean> {
  if (isAlone) return false;
  const before = await signsOfLife(store, runId);
  await new Promise<void>((resolve) => clock.after(leaseMs, resolve));
  const after = await signsOfLife(store, runId);
  return after.some((sign) => !before.some((earlier) => isSame(sign, earlier)));
}

async function signsOfLife(store: KvStore, runId: string): Promise<KvEntry[]> {
  const entries = await store.list(MEMBERS);
  return entries.filter((entry) => parseMember(entry).runId === runId);
}

const isSame = (a: KvEntry, b: KvEntry): boolean => a.key === b.key && a.revision === b.revision;

const parseClaim = (entry: KvEntry): Claim => parseRecord(claimSchema, entry, 'claim');
