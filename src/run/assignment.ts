/**
 * The newest assignment of a run stands in the store that its nodes share. The launcher writes it; a node that begins
 * waits until one names it in this life of its own, takes its part, and reports that it is ready.
 */
import { assignmentSchema, type Assignment } from '../actors/protocol/assignment.ts';
import { compareAndSet } from '../runtime/cluster/compare_and_set.ts';
import { DamagedRecord, parseRecord, type KvEntry, type KvStore } from '../runtime/cluster/nats.ts';
import { z } from 'zod';
import { deviceFactsSchema } from './chosen_device.ts';
import type { PatientKvStore } from './patient_kv_store.ts';

/** A node that has taken its part, and what each of its workers computes on. */
const readyNodeSchema = z.strictObject({ node: z.string(), devices: z.array(deviceFactsSchema) });
export type ReadyNode = z.infer<typeof readyNodeSchema>;

/** The run and the gen that an assignment is of. */
export interface AssignmentId {
  readonly runId: string;
  readonly gen: number;
}

const keyOf = (runId: string): string => `assignment.${runId}`;
const readyPrefix = ({ runId, gen }: AssignmentId): string => `ready.${runId}.${gen}`;

/** Another assignment stands, of this gen or a later one: this launch leads the run no more. */
export class AssignmentLost extends Error {
  readonly tag = 'AssignmentLost';
  readonly exitCode = 1;
  constructor(runId: string, gen: number, standing: number) {
    super(
      `run ${runId}: its assignment of gen ${standing} was written by another launch, and this one's is of gen ${gen}; ` +
        'end one of the two',
    );
    this.name = 'AssignmentLost';
  }
}

/** Writes an assignment in the place of one of a lower gen. Throws `AssignmentLost`, `DamagedRecord`. */
export async function writeAssignment(store: KvStore, runId: string, assignment: Assignment): Promise<void> {
  const value = JSON.stringify(assignment);
  const { entry } = await compareAndSet(store, keyOf(runId), value, (standing) =>
    standing.value === value || parse(standing).gen >= assignment.gen ? null : value,
  );
  if (entry.value !== value) throw new AssignmentLost(runId, assignment.gen, parse(entry).gen);
}

/** The newest assignment of a run; null where there is none. Throws `DamagedRecord`, `KvUnavailable`. */
export async function findAssignment(store: KvStore, runId: string): Promise<Assignment | null> {
  const entry = await store.find(keyOf(runId));
  return entry === null ? null : parse(entry);
}

/** Waits for an assignment that means this life of a node; null once all is over. Throws `DamagedRecord`. */
export async function awaitAssignment(
  store: PatientKvStore,
  runId: string,
  { node, incarnation }: { readonly node: string; readonly incarnation: number },
): Promise<Assignment | null> {
  return await store.awaited(async () => {
    const found = await findAssignment(store, runId);
    return found?.incarnations[node] === incarnation ? found : null;
  });
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
  const found = await store.awaited(async () => {
    const ready = (await store.list(readyPrefix(id))).map((entry) => parseReady(entry, id));
    const wanted = nodes.map((name) => ready.find(({ node }) => node === name)).filter((each) => each !== undefined);
    return wanted.length === nodes.length ? wanted : null;
  });
  return found ?? [];
}

const parse = (entry: KvEntry): Assignment => parseRecord(assignmentSchema, entry, 'assignment');

/** Reads what a node has reported. Throws `DamagedRecord` where its key names another node. */
function parseReady(entry: KvEntry, id: AssignmentId): ReadyNode {
  const ready = parseRecord(readyNodeSchema, entry, 'ready node');
  if (entry.key === `${readyPrefix(id)}.${ready.node}`) return ready;
  throw new DamagedRecord(entry.key, 'not of the node that it names', entry.value);
}
