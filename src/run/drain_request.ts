/**
 * A request to drain a node stands in the store that all nodes of a run share, until the launcher has taken it up. Whoever
 * asked can see by the newest assignment that it was done.
 */
import { z } from 'zod';
import { parseRecord, type KvEntry, type KvStore } from '../runtime/cluster/nats.ts';

const requestSchema = z.strictObject({ runId: z.string(), node: z.string() });

const PREFIX = 'drain';

/** Asks for it; asking twice is asking once. Throws `KvUnavailable`. */
export async function requestDrain(store: KvStore, runId: string, node: string): Promise<void> {
  const value = JSON.stringify({ runId, node });
  const standing = await store.createOrGet(`${PREFIX}.${node}`, value);
  if (standing.value !== value) await store.replace(standing.key, value, standing.revision);
}

/** Takes up all requests of a run; those of other runs are left-overs and removed. Throws `KvUnavailable`, `DamagedRecord`. */
export async function takeDrainRequests(store: KvStore, runId: string): Promise<readonly string[]> {
  const entries = await store.list(PREFIX);
  const nodes: string[] = [];
  for (const entry of entries) {
    const { node, runId: of } = parse(entry);
    if (of === runId) nodes.push(node);
    await store.remove(entry.key, entry.revision);
  }
  return nodes;
}

const parse = (entry: KvEntry) => parseRecord(requestSchema, entry, 'request to drain');

/** Whether a request stands that nobody has taken up. Throws `KvUnavailable`. */
export const isRequested = async (store: KvStore, node: string): Promise<boolean> =>
  (await store.find(`${PREFIX}.${node}`)) !== null;
