/** What the guardian is told on its command line, and what it says on its standard output: one JSON object a line. */

import { z } from 'zod';

/** No secret among them: the token is in the config file. */
export const guardianArgsSchema = z.strictObject({
  binary: z.string(),
  /** Holds `nats.conf` and `ports/`. */
  workDir: z.string(),
  /** Removed at the end. */
  scratchDirs: z.array(z.string()),
});
export type GuardianArgs = z.infer<typeof guardianArgsSchema>;

export const guardianNewsSchema = z.discriminatedUnion('kind', [
  /** nats-server listens; said again after each restart. */
  z.strictObject({ kind: z.literal('ready'), pid: z.number(), port: z.number() }),
  /** It ended, and is started again. */
  z.strictObject({ kind: z.literal('restarting'), reason: z.string() }),
  /** It ended before it was ever ready, or too often: the guardian ends too. */
  z.strictObject({ kind: z.literal('failed'), reason: z.string() }),
]);
export type GuardianNews = z.infer<typeof guardianNewsSchema>;

/** The config file within `workDir`. */
export const CONFIG_FILE = 'nats.conf';
/** Where ports files appear within `workDir`. */
export const PORTS_DIR = 'ports';
