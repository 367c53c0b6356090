/**
 * The threads of a node and the channels between them: every pair has one, so that data between two workers does not pass
 * through the main thread. A seat is all that one thread needs to take part; it goes to its thread as worker data.
 */

import { MessageChannel, MessagePort } from 'node:worker_threads';
import { z } from 'zod';
import type { Address } from '../system/address.ts';
import { createSharedMemory, type SharedMemory, type SharedPoolOptions } from './shared_pool.ts';

export interface ThreadMeshOptions extends SharedPoolOptions {
  /** The name of the thread that hosts an address, for all that is known at the start. */
  readonly placement?: ReadonlyMap<Address, string>;
}

export interface ThreadSeat {
  readonly index: number;
  /** Of all threads. */
  readonly names: readonly string[];
  /** To each thread; null to itself. */
  readonly ports: readonly (MessagePort | null)[];
  /** What each thread sends from. */
  readonly pools: readonly SharedMemory[];
  /** How many messages each thread has been sent, 16 words apart: a look at it tells whether any wait. */
  readonly mail: SharedArrayBuffer;
  /** Thread by address. */
  readonly placement: ReadonlyMap<Address, number>;
}

/** Words between two counters of mail, so that they do not share a cache line. */
export const MAIL_STRIDE = 16;

/** One seat a name, in order. Throws `InvalidSlots`, and `RangeError` for a placement on a thread that is not named. */
export function seatThreads(names: readonly string[], options: ThreadMeshOptions = {}): ThreadSeat[] {
  const ports = names.map(() => new Array<MessagePort | null>(names.length).fill(null));
  for (let a = 0; a < names.length; a++) {
    for (let b = a + 1; b < names.length; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a][b] = port1;
      ports[b][a] = port2;
    }
  }
  const pools = names.map((name) => createSharedMemory(name, options));
  const mail = new SharedArrayBuffer(4 * MAIL_STRIDE * names.length);
  const placement = threadsByAddress(names, options.placement ?? new Map());
  return names.map((_, index) => ({ index, names, ports: ports[index], pools, mail, placement }));
}

/** What must be transferred when `seat` is sent to its thread. */
export const portsOf = ({ ports }: ThreadSeat): MessagePort[] => ports.filter((port) => port !== null);

/** Thread by address, from its name. Throws `RangeError` for a thread that is not named. */
export const threadsByAddress = (
  names: readonly string[],
  placement: ReadonlyMap<Address, string>,
): ReadonlyMap<Address, number> => new Map([...placement].map(([address, name]) => [address, indexOf(names, name)]));

function indexOf(names: readonly string[], name: string): number {
  const index = names.indexOf(name);
  if (index === -1) throw new RangeError(`placement on '${name}', which is none of the threads ${names.join(', ')}`);
  return index;
}

const poolSchema = z.object({
  owner: z.string(),
  memory: z.instanceof(SharedArrayBuffer),
  slots: z.array(z.object({ bytes: z.number(), count: z.number() })),
  maxOverflowBytes: z.number(),
  poison: z.boolean(),
});

/** Schema of a seat that has arrived in its thread. */
export const seatSchema: z.ZodType<ThreadSeat> = z.object({
  index: z.number(),
  names: z.array(z.string()),
  ports: z.array(z.instanceof(MessagePort).nullable()),
  pools: z.array(poolSchema),
  mail: z.instanceof(SharedArrayBuffer),
  placement: z.map(z.string(), z.number()),
});
