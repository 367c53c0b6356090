/** A record is what a key of the cluster's store holds: JSON of a known shape, unless somebody else has damaged it. */
import type { z } from 'zod';
import type { KvEntry } from './kv_store.ts';
import { DamagedRecord } from './membership_errors.ts';

/** Reads an entry; `what` names its kind for the error. Throws `DamagedRecord`. */
export function parseRecord<T extends z.ZodType>(schema: T, { key, value }: KvEntry, what: string): z.output<T> {
  const { data, error } = schema.safeParse(parseJson(value));
  if (error === undefined) return data;
  const [{ path, message }] = error.issues;
  const where = path.length === 0 ? '' : `${path.join('.')}: `;
  throw new DamagedRecord(key, `no ${what} (${where}${message})`, value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
