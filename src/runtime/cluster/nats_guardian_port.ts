/**
 * The guardian's port is what it is told on its command line, and what it says on its standard output: one JSON object
 * a line.
 */

import { z } from 'zod';

/** No secret among them: the token is in the config file. */
export const guardianArgsSchema = z.strictObject({
  binary: z.string(),
  /** Holds `nats.conf` and `ports/`; removed at the end. */
  workDir: z.string(),
  storeDir: z.string(),
  /** What nats-server writes to its standard error goes there; begun anew. */
  logFile: z.string(),
  /** Says which process serves the store, for as long as it does; null where nobody will look for it. */
  recordFile: z.string().nullable(),
});
export type GuardianArgs = z.infer<typeof guardianArgsSchema>;

export const guardianNewsSchema = z.discriminatedUnion('kind', [
  /** nats-server's process is there; said again after each restart. */
  z.strictObject({ kind: z.literal('started'), pid: z.number() }),
  /** nats-server listens; said again after each restart. */
  z.strictObject({ kind: z.literal('ready'), pid: z.number(), port: z.number() }),
  /** It ended, and is started again. */
  z.strictObject({ kind: z.literal('restarting'), reason: z.string() }),
  /** It ended before it was ever ready, or too often: the guardian ends too. `isStoreDamaged`: it has said so. */
  z.strictObject({ kind: z.literal('failed'), reason: z.string(), isStoreDamaged: z.boolean() }),
]);
export type GuardianNews = z.infer<typeof guardianNewsSchema>;

/** What whoever has a server hears of it. */
export type NatsServerNews = Exclude<GuardianNews, { kind: 'started' }>;

/** The config file within `workDir`. */
export const CONFIG_FILE = 'nats.conf';
/** Where ports files appear within `workDir`. */
export const PORTS_DIR = 'ports';
/** What `workDir` is called, before six random characters. */
export const WORK_DIR_PREFIX = 'troupe-nats-';
