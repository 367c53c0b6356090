/**
 * The main thread and a worker say a few things to each other beside the actors' messages, and a worker gets its start
 * data. Answers to pings are no messages: the worker stores the number of the ping in shared memory.
 */

import { z } from 'zod';
import type { LogRecord } from '../system/log.ts';
import { seatSchema } from '../transport/thread_mesh.ts';

/** Main thread to worker. */
export const orderSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ping'), number: z.number() }),
  z.object({ kind: z.literal('stop') }),
]);
export type Order = z.infer<typeof orderSchema>;

const logRecordSchema: z.ZodType<LogRecord> = z.object({
  level: z.enum(['debug', 'info', 'warn', 'error']),
  address: z.string(),
  text: z.string(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** Worker to main thread. */
export const reportSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('failed'), error: z.string() }),
  z.object({ kind: z.literal('log'), record: logRecordSchema }),
]);
export type Report = z.infer<typeof reportSchema>;

export const startDataSchema = z.object({
  seat: seatSchema,
  /** One word: the number of the last ping answered. */
  beat: z.instanceof(SharedArrayBuffer),
  flight: z.instanceof(SharedArrayBuffer),
  log: z.instanceof(SharedArrayBuffer),
  data: z.unknown(),
});
export type StartData = z.infer<typeof startDataSchema>;
