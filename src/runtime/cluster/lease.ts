/**
 * A lease tells who is alive, as one observer sees it, by a pure function over its polls of the store. A node is dead
 * when the observer, able to read the store all the while, saw no new revision of it for a lease, by its own clock.
 * After a gap between polls (the server was away, this process slept) everybody's lease starts anew.
 */

/** What a poll reads of a node. */
export interface Sign {
  readonly revision: number;
  /** Which life of the node; a new one means that the former has ended. */
  readonly incarnation: number;
}

/** One successful reading of all registrations. */
export interface Poll {
  /** When reading began and when it ended, in ms of the observer's clock. */
  readonly startMs: number;
  readonly endMs: number;
  /** The sign of each node. */
  readonly signs: ReadonlyMap<string, Sign>;
}

interface Seen extends Sign {
  /** When this revision was first seen, or the lease started anew. */
  readonly sinceMs: number;
  readonly isDead: boolean;
}

export interface LeaseState {
  readonly seen: ReadonlyMap<string, Seen>;
  /** End of the last poll; null before the first. */
  readonly polledMs: number | null;
}

export interface LeaseTerms {
  readonly leaseMs: number;
  /** Between two polls further apart than this the observer was blind. */
  readonly maxGapMs: number;
}

export interface LeaseNews {
  readonly state: LeaseState;
  /** New, or alive again after they were declared dead. */
  readonly joined: readonly string[];
  /** Declared dead by this poll, once; one that is in `joined` too has a new life. */
  readonly died: readonly string[];
  /** Their registration was removed. */
  readonly left: readonly string[];
}

export const NO_LEASES: LeaseState = { seen: new Map(), polledMs: null };

/** Takes in a poll. */
export function observe(state: LeaseState, poll: Poll, { leaseMs, maxGapMs }: LeaseTerms): LeaseNews {
  const isBlind = state.polledMs === null || poll.endMs - state.polledMs > maxGapMs;
  const seen = new Map<string, Seen>();
  const joined: string[] = [];
  const died: string[] = [];
  for (const [node, sign] of poll.signs) {
    const before = state.seen.get(node);
    if (before?.revision !== sign.revision) {
      const isReborn = before !== undefined && before.incarnation !== sign.incarnation;
      if (isReborn && !before.isDead) died.push(node);
      if (isReborn || before === undefined || before.isDead) joined.push(node);
      seen.set(node, { ...sign, sinceMs: poll.endMs, isDead: false });
      continue;
    }
    const sinceMs = isBlind ? poll.endMs : before.sinceMs;
    // From the end of one reading to the start of another: never longer than it really was.
    const isDead = before.isDead || poll.startMs - sinceMs >= leaseMs;
    if (isDead && !before.isDead) died.push(node);
    seen.set(node, { ...sign, sinceMs, isDead });
  }
  const left = [...state.seen.keys()].filter((node) => !poll.signs.has(node));
  return { state: { seen, polledMs: poll.endMs }, joined, died, left };
}
