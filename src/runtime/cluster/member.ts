/** A member is a node of the cluster: what it says of itself when it joins, and how that is written down. */

import { z } from 'zod';
import type { KvEntry } from './kv_store.ts';
import { parseRecord } from './kv_record.ts';
import { DamagedRecord } from './membership_errors.ts';

export const memberSchema = z.strictObject({
  node: z.string(),
  /** The run it belongs to. */
  runId: z.string(),
  /** Which life of the node; a later one has a higher number. */
  incarnation: z.int().nonnegative(),
  /** Workers that it offers, and the device of each; `classHash`, of its numerics class: only one class gives the same bits. */
  workers: z.array(z.strictObject({ device: z.string(), classHash: z.string() })),
});
export type Member = z.infer<typeof memberSchema>;

/** Registrations are below this key. */
export const MEMBERS = 'node';

export const memberKey = (node: string): string => `${MEMBERS}.${node}`;

/** The beat makes each write a change. */
export const formatMember = (member: Member, beat: number): string => JSON.stringify({ ...member, beat });

/** Reads a registration. Throws `DamagedRecord`. */
export function parseMember(entry: KvEntry): Member {
  const { beat: _beat, ...member } = parseRecord(memberSchema.extend({ beat: z.number() }), entry, 'member');
  if (entry.key === memberKey(member.node)) return member;
  throw new DamagedRecord(entry.key, 'not of the node that it names', entry.value);
}
