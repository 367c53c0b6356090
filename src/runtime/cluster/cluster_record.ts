/**
 * The record of a cluster says which run its name stands for. The launcher writes it, and again with every beat until
 * the run ends; nodes that join read it. A name is free when its record is gone, or when neither it nor a node of its
 * run shows a beat for a lease.
 */

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../system/clock.ts';
import { BeatingRecord } from './beating_record.ts';
import { compareAndSet } from './compare_and_set.ts';
import { parseRecord } from './kv_record.ts';
import type { KvEntry, KvStore } from './kv_store.ts';
import { NO_LEASES, observe, type Sign } from './lease.ts';
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
  /** Another launch has taken the name, since ours showed no beat for a lease; or (`why`) the store cannot have it. */
  readonly onLost: (why: Error | null) => void;
  /** A sign of life was written. */
  readonly onBeat?: () => void;
}

/**
 * Gives the name to the run until the record that it returns is removed, and clears away what nodes of earlier attempts have
 * left. Where a record stands, watches for a lease whether its run is alive. Throws `ClusterNameTaken`, `KvUnavailable`,
 * `DamagedRecord`, `DamagedStore`.
 */
export async function foundCluster(options: FoundOptions): Promise<BeatingRecord> {
  const { store, clock, cluster, runId, leaseMs, onLost, onBeat } = options;
  const launch = randomUUID();
  const format = (beat: number): string => JSON.stringify({ runId, launch, beat } satisfies Claim);
  const isOurs = (entry: KvEntry): boolean => parseClaim(entry).launch === launch;
  const runIds = new Set([runId]);
  let watched: number | null = null;
  const { entry: given } = await compareAndSet(store, RUN, format(0), async (standing) => {
    // Written now, or before by a call that seemed to fail.
    if (isOurs(standing)) return null;
    // Where another stands than was watched, its run showed a beat, or another launch was faster.
    const isNew = watched !== null && watched !== standing.revision;
    const alive = isNew ? standing : await findAlive(options, standing);
    if (alive !== null) throw new ClusterNameTaken(cluster, parseClaim(alive).runId);
    watched = standing.revision;
    runIds.add(parseClaim(standing).runId);
    return format(0);
  });
  const timing = { store, clock, key: RUN, beatMs: leaseMs / 4 };
  const record = new BeatingRecord(
    { ...timing, format, isOurs, onLost, ...(onBeat === undefined ? {} : { onBeat }) },
    given.revision,
  );
  try {
    const left = (await Promise.all([...runIds].map((id) => signsOfLife(store, id)))).flat();
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

/** The run that the name stands for and the revision of its last beat; null where the name is free. Throws `KvUnavailable`. */
export async function findBeat(store: KvStore): Promise<{ readonly runId: string; readonly revision: number } | null> {
  const entry = await store.find(RUN);
  return entry === null ? null : { runId: parseClaim(entry).runId, revision: entry.revision };
}

/**
 * Watches a claim for a lease. Returns it, or the one in its place, as soon as that or a node of its run shows a beat; null
 * if none does. While the store was out of reach nobody could beat: the lease begins anew, and where that goes on for ten
 * leases the claim stands.
 */
async function findAlive(options: FoundOptions, claim: KvEntry): Promise<KvEntry | null> {
  const { store, clock, leaseMs, isAlone = false } = options;
  if (isAlone) return null;
  const { runId } = parseClaim(claim);
  const beatMs = leaseMs / 4;
  const untilMs = clock.now() + 10 * leaseMs;
  let leases = NO_LEASES;
  for (;;) {
    const startMs = clock.now();
    const standing = await store.find(RUN);
    // The name is free.
    if (standing === null) return null;
    const signs = new Map([standing, ...(await signsOfLife(store, runId))].map((entry) => [entry.key, signOf(entry)]));
    const before = leases.polledMs === null ? null : leases.seen;
    const isNew = ([key, { revision }]: [string, Sign]): boolean => before?.get(key)?.revision !== revision;
    if (standing.revision !== claim.revision || (before !== null && [...signs].some(isNew))) return standing;
    leases = observe(leases, { startMs, endMs: clock.now(), signs }, { leaseMs, maxGapMs: 2 * beatMs }).state;
    if (leases.seen.get(RUN)?.isDead === true) return null;
    if (clock.now() >= untilMs) return standing;
    await new Promise<void>((resolve) => clock.after(Math.max(0, startMs + beatMs - clock.now()), resolve));
  }
}

const signOf = ({ revision }: KvEntry): Sign => ({ revision, incarnation: 0 });

async function signsOfLife(store: KvStore, runId: string): Promise<KvEntry[]> {
  const entries = await store.list(MEMBERS);
  return entries.filter((entry) => parseMember(entry).runId === runId);
}

const parseClaim = (entry: KvEntry): Claim => parseRecord(claimSchema, entry, 'claim');
