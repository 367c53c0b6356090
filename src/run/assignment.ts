/**
 * The assignment of a gen says who is in the run, and which role each worker has. The launcher writes it, into the
 * store that the nodes share, once all have registered; a node reads it, starts its roles, and reports that it is
 * ready.
 */
import { z } from 'zod';
import { DamagedRecord, parseRecord, type KvEntry, type KvStore } from '../runtime/cluster/nats.ts';
import { deviceFactsSchema } from './chosen_device.ts';
import type { PatientKvStore } from './patient_kv_store.ts';

const assignmentSchema = z.strictObject({
  /** Names of the nodes, in order; the first one leads. */
  nodes: z.array(z.string()).min(1),
  /** The system that writes the run directory. */
  writer: z.string(),
  /** All systems, the writer among them. */
  systems: z.array(z.string()),
  /** System by role. */
  placement: z.record(z.string(), z.string()),
  /** Which life of each node is meant, and of the writer: others of the name are not heard. */
  incarnations: z.record(z.string(), z.int()),
});
export type Assignment = z.infer<typeof assignmentSchema>;

/** A node that has taken its part, and what each of its workers computes on. */
const readyNodeSchema = z.strictObject({ node: z.string(), devices: z.array(deviceFactsSchema) });
export type ReadyNode = z.infer<typeof readyNodeSchema>;

/** The run and the gen that an assignment is of. */
export interface AssignmentId {
  readonly runId: string;
  readonly gen: number;
}

const keyOf = ({ runId, gen }: AssignmentId): string => `assignment.${runId}.${gen}`;
const readyPrefix = ({ runId, gen }: AssignmentId): string => `ready.${runId}.${gen}`;

/** Writes the assignment of a gen. Throws `DamagedRecord` where another one stands. */
export async function writeAssignment(store: KvStore, id: AssignmentId, assignment: Assignment): Promise<void> {
  const { key, value } = await store.createOrGet(keyOf(id), JSON.stringify(assignment));
  if (value !== JSON.stringify(assignment)) throw new DamagedRecord(key, 'not the assignment of this launch', value);
}

/** Waits for the assignment of a gen; null once all is over. Throws `DamagedRecord`. */
export async function awaitAssignment(store: PatientKvStore, id: AssignmentId): Promise<Assignment | null> {
  const entry = await store.awaited(() => store.find(keyOf(id)));
  return entry === null ? null : parseRecord(assignmentSchema, entry, 'assignment');
}

/** Reports that a node has taken its part: its programs are compiled and it listens. */
export async function reportReady(store: PatientKvStore, id: AssignmentId, ready: ReadyNode): Promise<void> {
  await store.createOrGet(`${readyPrefix(id)}.${ready.node}`, JSON.stringify(ready));
}

/** Waits until all of `nodes` have taken their parts; in their order, and empty if all is over. Throws `DamagedRecord`. */
export async function awaitReady(
  store: PatientKvStore,
  id: AssignmentId,
  nodes: readonly string[],
): Promise<readonly ReadyNode[]> {
  const entries = await store.awaited(async () => {
    const found = await store.list(readyPrefix(id));
    return found.length >= nodes.length ? found : null;
  });
  const ready = (entries ?? []).map((entry) => parseReady(entry, id));
  return nodes.flatMap((name) => ready.filter(({ node }) => node === name));
}

/** Reads what a node has reported. Throws `DamagedRecord` where its key names another node. */
function parseReady(entry: KvEntry, id: AssignmentId): ReadyNode {
  const ready = parseRecord(readyNodeSchema, entry, 'ready node');
  if (entry.key === `${readyPrefix(id)}.${ready.node}`) return ready;
  throw new DamagedRecord(entry.key, 'not of the node that it names', entry.value);
}
