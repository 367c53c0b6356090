/**
 * A system for tests: virtual time, every message checked against its schema, frames poisoned when they come back, log
 * records kept.
 */

import type { LogRecord } from '../system/log.ts';
import { ActorSystem, type SystemOptions } from '../system/system.ts';
import { HeapFramePool } from '../transport/frame.ts';
import { LocalTransport } from '../transport/local.ts';
import { VirtualClock } from './virtual_clock.ts';

export interface TestSystemOptions extends Partial<Omit<SystemOptions, 'clock' | 'logSink'>> {
  readonly clock?: VirtualClock;
  /** Send whole frames, as between processes. */
  readonly wire?: boolean;
}

export interface TestSystem {
  readonly system: ActorSystem;
  readonly clock: VirtualClock;
  /** `pool.leased` is 0 when all messages with tensors are done. */
  readonly pool: HeapFramePool;
  readonly log: readonly LogRecord[];
}

export function createTestSystem({
  clock = new VirtualClock(),
  wire = false,
  ...options
}: TestSystemOptions = {}): TestSystem {
  const pool = new HeapFramePool({ poison: true });
  const log: LogRecord[] = [];
  const transport = new LocalTransport({ pool, wire });
  const system = new ActorSystem({
    transport,
    validate: 'always',
    ...options,
    clock,
    logSink: (record) => log.push(record),
  });
  return { system, clock, pool, log };
}
