/** What a node says of itself when it joins, and how that is written down. */

import { z } from 'zod';
import type { KvEntry } from './kv_store.ts';
import { DamagedRecord } from './membership_errors.ts';

export const memberSchema = z.strictObject({
  node: z.string(),
  /** The run it belongs to. */
  runId: z.string(),
  /** Which life of the node; a later one has a higher number. */
  incarnation: z.int().nonnegative(),
  /** Workers that it offers, a device each. */
  workers: z.int().nonnegative(),
  device: z.string(),
  /** Hash of its numerics class: only members of one class give the same bits. */
  classHash: z.string(),
});
export type Member = z.infer<typeof memberSchema>;

/** Registrations are below this key. */
export const MEMBERS = 'node';

export const memberKey = (node: string): string => `${MEMBERS}.${node}`;

/** The beat makes each write a change. */
export const formatMember = (member: Member, beat: number): string => JSON.stringify({ ...member, beat });

/** Throws `DamagedRecord`. */
export function parseMember({ key, value }: KvEntry): Member {
  const { data, error } = memberSchema.extend({ beat: z.number() }).safeParse(parseJson(value));
  if (data === undefined) throw new DamagedRecord(key, `no member: ${error?.issues[0].message ?? 'empty'}`);
  const { beat: _beat, ...member } = data;
  return member;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
