/**
 * The health of a store that takes no writes, while the server that has it can be reached, tells what to do about it: a
 * pure decision. A full disk is waited for, since whoever runs the run can free it; a server of our own that hangs is
 * started again; and one of somebody else's is waited for.
 */

/** What has been seen since a write was answered last. */
export interface StoreHealth {
  /** How long no write was answered. */
  readonly silentMs: number;
  /** The part of that time in which the server could be reached. */
  readonly hungMs: number;
  /** How often our server was started again in that time. */
  readonly restarts: number;
  /** What the user was told of it. */
  readonly told: 'full' | 'hung' | null;
}

export const HEALTHY: StoreHealth = { silentMs: 0, hungMs: 0, restarts: 0, told: null };

export interface StoreSurroundings {
  /** Free bytes of the disk of our own server's store; null for another server, or where nobody can tell. */
  readonly freeBytes: number | null;
  readonly isOwn: boolean;
  /** Somebody has asked for the run's end. */
  readonly isInterrupted: boolean;
  /** Time between writes that are sure to be made. */
  readonly beatMs: number;
}

export type StoreRemedy = 'wait' | 'tell-full' | 'tell-hung' | 'restart' | 'end';

/** A write is tried for so long before it counts as not answered. */
export const PATIENCE_MS = 10_000;
/** Below it a disk is full: nats-server allots its files in blocks. */
export const LEAST_FREE_BYTES = 2 ** 20;
/** A server that answers nothing although there is room may be slow: it gets so many times the patience. */
const SLOWNESS = 3;
const MOST_RESTARTS = 3;

export function remedyFor(health: StoreHealth, surroundings: StoreSurroundings): StoreRemedy {
  const { silentMs, hungMs, restarts, told } = health;
  const { freeBytes, isOwn, isInterrupted, beatMs } = surroundings;
  const stuckMs = PATIENCE_MS + beatMs;
  // The interrupt cannot be obeyed in the middle of a step that is not recorded.
  if (isInterrupted && silentMs >= stuckMs) return 'end';
  if (hungMs < stuckMs) return 'wait';
  const isFull = freeBytes !== null && freeBytes < LEAST_FREE_BYTES;
  if (isFull) return told === 'full' ? 'wait' : 'tell-full';
  if (!isOwn) return told === null ? 'tell-hung' : 'wait';
  if (told !== 'full' && hungMs < SLOWNESS * stuckMs) return 'wait';
  return restarts < MOST_RESTARTS ? 'restart' : 'end';
}
