/** A scene is what members of a cluster share in a test: a store that can be away, a virtual clock, what is told. */
import type { KvEntry } from '../../../src/runtime/cluster/kv_store.ts';
import type { Member } from '../../../src/runtime/cluster/member.ts';
import { KvUnavailable } from '../../../src/runtime/cluster/membership_errors.ts';
import { Membership } from '../../../src/runtime/cluster/membership.ts';
import { MemoryKvStore } from '../../../src/runtime/cluster/memory_kv_store.ts';
import { Registration } from '../../../src/runtime/cluster/registration.ts';
import { VirtualClock } from '../../../src/runtime/testing/index.ts';

export const LEASE_MS = 4_000;
export const BEAT_MS = 1_000;

/** A store that can be out of reach. */
export class OutageStore extends MemoryKvStore {
  isAway = false;

  override list(prefix: string): Promise<readonly KvEntry[]> {
    return this.isAway ? Promise.reject(new KvUnavailable('test', 'away')) : super.list(prefix);
  }
  override replace(key: string, value: string, revision: number): Promise<KvEntry | null> {
    return this.isAway ? Promise.reject(new KvUnavailable('test', 'away')) : super.replace(key, value, revision);
  }
}

export const memberOf = (node: string, incarnation = 1, runId = 'run-1'): Member => ({
  node,
  runId,
  incarnation,
  workers: [{ device: 'cpu', classHash: 'abc' }],
});

export class Scene {
  readonly clock = new VirtualClock();
  readonly store = new OutageStore();
  readonly told: string[] = [];

  join(member: Member, takeOver = false): Promise<Registration> {
    const { store, clock } = this;
    const onReplaced = ({ message }: Error) => void this.told.push(message);
    return Registration.join({ store, clock, member, beatMs: BEAT_MS, takeOver, onReplaced });
  }

  observe(runId = 'run-1'): Promise<Membership> {
    const { store, clock } = this;
    const events = {
      joined: ({ node, incarnation }: Member) => void this.told.push(`${node}.${incarnation} joined`),
      left: ({ node }: Member) => void this.told.push(`${node} left`),
      died: ({ node, incarnation }: Member) => void this.told.push(`${node}.${incarnation} died`),
      failed: (error: unknown) => void this.told.push(String(error)),
    };
    return Membership.open({ store, clock, runId, leaseMs: LEASE_MS, events });
  }

  /** What was told since the last call. */
  news(): string[] {
    return this.told.splice(0);
  }
}
