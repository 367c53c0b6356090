/**
 * The muster of a gen: who is in the run, and which role each worker has. The launcher writes it once all nodes have
 * registered; a node reads it, takes its part, and says so. All of it is in the store that the nodes share.
 */
import { z } from 'zod';
import type { Clock } from '../runtime/index.ts';
import { DamagedRecord, type KvStore } from '../runtime/cluster/nats.ts';
import { whenAvailable } from './patient_store.ts';

const musterSchema = z.strictObject({
  /** Names of the nodes, in order; the first one leads. */
  nodes: z.array(z.string()).min(1),
  /** The system that writes the run directory. */
  scribe: z.string(),
  /** All systems, the scribe among them. */
  systems: z.array(z.string()),
  /** System by role. */
  placement: z.record(z.string(), z.string()),
});
export type Muster = z.infer<typeof musterSchema>;

/** Which muster is meant. */
export interface MusterId {
  readonly runId: string;
  readonly gen: number;
}

const POLL_MS = 20;

const keyOf = ({ runId, gen }: MusterId): string => `muster.${runId}.${gen}`;
const readyPrefix = ({ runId, gen }: MusterId): string => `ready.${runId}.${gen}`;

/** Writes the muster of a gen; there is one only. */
export async function writeMuster(store: KvStore, id: MusterId, muster: Muster): Promise<void> {
  await store.createOrGet(keyOf(id), JSON.stringify(muster));
}

/** Waits for the muster of a gen; null once `isOver`. Throws `DamagedRecord`. */
export async function awaitMuster(
  store: KvStore,
  clock: Clock,
  { isOver, ...id }: MusterId & { readonly isOver: () => boolean },
): Promise<Muster | null> {
  while (!isOver()) {
    const entry = await whenAvailable(clock, () => store.find(keyOf(id)));
    if (entry !== null) return parse(keyOf(id), entry.value);
    await pause(clock);
  }
  return null;
}

/** A node has taken its part: its programs are compiled and it listens. */
export async function reportReady(
  store: KvStore,
  clock: Clock,
  { node, ...id }: MusterId & { readonly node: string },
): Promise<void> {
  await whenAvailable(clock, () => store.createOrGet(`${readyPrefix(id)}.${node}`, 'ready'));
}

/** Waits until all of `nodes` have taken their parts, or `isOver`. */
export async function awaitReady(
  store: KvStore,
  clock: Clock,
  { nodes, isOver, ...id }: MusterId & { readonly nodes: readonly string[]; readonly isOver: () => boolean },
): Promise<void> {
  while (!isOver()) {
    const entries = await whenAvailable(clock, () => store.list(readyPrefix(id)));
    if (entries.length >= nodes.length) return;
    await pause(clock);
  }
}

const pause = (clock: Clock): Promise<void> => new Promise((resolve) => clock.after(POLL_MS, resolve));

function parse(key: string, text: string): Muster {
  try {
    return musterSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new DamagedRecord(key, `no muster: ${error instanceof Error ? error.message.split('\n', 1)[0] : ''}`);
  }
}
