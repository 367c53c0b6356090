/**
 * A registration is a node's place in the cluster: its record, written again with every beat. A node whose record was
 * removed or taken over learns it with its next beat, and must end.
 */

import type { Clock } from '../system/clock.ts';
import { BeatingRecord } from './beating_record.ts';
import { compareAndSet } from './compare_and_set.ts';
import type { KvEntry, KvStore } from './kv_store.ts';
import { formatMember, memberKey, parseMember, type Member } from './member.ts';
import { NodeNameTaken, NodeReplaced } from './membership_errors.ts';

export interface RegistrationOptions {
  readonly store: KvStore;
  readonly clock: Clock;
  readonly member: Member;
  /** Time between beats; a quarter of the lease is right. */
  readonly beatMs: number;
  /** Take the place of an earlier life of this node: for whoever knows that it has ended. */
  readonly takeOver?: boolean;
  /** Its record is not ours any more (`NodeReplaced`), or the store cannot have it; beating has stopped. */
  readonly onReplaced: (error: Error) => void;
}

export class Registration {
  readonly #record: BeatingRecord;

  private constructor(record: BeatingRecord) {
    this.#record = record;
  }

  /** Registers and starts beating. Throws `NodeNameTaken`, `KvUnavailable`, `DamagedStore`. */
  static async join(options: RegistrationOptions): Promise<Registration> {
    const { store, clock, member, beatMs, takeOver = false, onReplaced } = options;
    const key = memberKey(member.node);
    const value = formatMember(member, 0);
    const { entry } = await compareAndSet(store, key, value, (standing) => {
      if (standing.value === value) return null;
      if (!takeOver && isRival(parseMember(standing), member)) throw new NodeNameTaken(member.node);
      return value;
    });
    const record = {
      store,
      clock,
      key,
      beatMs,
      format: (beat: number) => formatMember(member, beat),
      isOurs: (standing: KvEntry) => isSame(parseMember(standing), member),
      onLost: (why: Error | null) => onReplaced(why ?? new NodeReplaced(member.node)),
    };
    return new Registration(new BeatingRecord(record, entry.revision));
  }

  /** Stops beating and removes the record, so that nobody waits for a lease to end. */
  leave(): Promise<void> {
    return this.#record.remove();
  }

  /** Stops beating and leaves the record as it is. */
  stop(): void {
    this.#record.stop();
  }
}

const isSame = (a: Member, b: Member): boolean => a.incarnation === b.incarnation && a.runId === b.runId;

/**
 * Whether a record keeps a node from its name. Those of other runs are leftovers: their run would not have let ours
 * take the cluster's name.
 */
const isRival = (standing: Member, own: Member): boolean => standing.runId === own.runId;
