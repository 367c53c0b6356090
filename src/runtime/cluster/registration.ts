/**
 * A node's place in the cluster: its record, written again with every beat. Each beat replaces the one before, so a node
 * whose record was removed or taken over learns it with its next beat, and must end.
 */

import type { Clock, Timer } from '../system/clock.ts';
import type { KvEntry, KvStore } from './kv_store.ts';
import { formatMember, memberKey, parseMember, type Member } from './member.ts';
import { NodeNameTaken, NodeReplaced } from './membership_errors.ts';

export interface RegistrationOptions {
  readonly store: KvStore;
  readonly clock: Clock;
  readonly member: Member;
  /** Between beats; a quarter of the lease is right. */
  readonly beatMs: number;
  /** Take the place of an earlier life of this node: for whoever knows that it has ended. */
  readonly takeOver?: boolean;
  /** Its record is not ours any more; beating has stopped. */
  readonly onReplaced: (error: NodeReplaced) => void;
  /** A beat could not be written; the next one may be. */
  readonly onMissed?: (error: unknown) => void;
}

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #key: string;
  #revision: number;
  #beat = 0;
  #timer: Timer | null = null;
  #ended = false;

  private constructor(options: RegistrationOptions, revision: number) {
    this.#options = options;
    this.#key = memberKey(options.member.node);
    this.#revision = revision;
    this.#arm();
  }

  /** Registers and starts beating. Throws `NodeNameTaken`, `KvUnavailable`. */
  static async join(options: RegistrationOptions): Promise<Registration> {
    const { store, member, takeOver = false } = options;
    const key = memberKey(member.node);
    const value = formatMember(member, 0);
    let entry: KvEntry | null = await store.createOrGet(key, value);
    while (entry.value !== value) {
      if (!takeOver && isRival(parseMember(entry), member)) throw new NodeNameTaken(member.node);
      entry = (await store.replace(key, value, entry.revision)) ?? (await store.createOrGet(key, value));
    }
    return new Registration(options, entry.revision);
  }

  /** Stops beating and removes the record, so that nobody waits for a lease to end. */
  async leave(): Promise<void> {
    this.stop();
    const entry = await this.#options.store.find(this.#key);
    if (entry !== null && this.#isOurs(entry)) await this.#options.store.remove(this.#key, entry.revision);
  }

  /** Stops beating and leaves the record as it is. */
  stop(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  #arm(delayMs = this.#options.beatMs): void {
    const { clock, beatMs, onMissed } = this.#options;
    this.#timer = clock.after(delayMs, () => {
      this.#renew().then(
        (isOurs) => this.#went(isOurs, beatMs),
        (error: unknown) => {
          onMissed?.(error);
          // Time was lost on the attempt, and the lease goes on.
          this.#went(true, beatMs / 4);
        },
      );
    });
  }

  #went(isOurs: boolean, nextMs: number): void {
    if (this.#ended) return;
    if (isOurs) return this.#arm(nextMs);
    this.stop();
    this.#options.onReplaced(new NodeReplaced(this.#options.member.node));
  }

  async #renew(): Promise<boolean> {
    const { store, member } = this.#options;
    this.#beat += 1;
    const value = formatMember(member, this.#beat);
    const written = await store.replace(this.#key, value, this.#revision);
    // A beat that seemed to fail may have been written: then the one that stands is ours.
    const standing = written ?? (await store.find(this.#key));
    if (standing === null || !this.#isOurs(standing)) return false;
    this.#revision = standing.revision;
    return true;
  }

  #isOurs(entry: KvEntry): boolean {
    const { incarnation, runId } = parseMember(entry);
    return incarnation === this.#options.member.incarnation && runId === this.#options.member.runId;
  }
}

/** Records of other runs are leftovers: their run would not have let ours take the cluster's name. */
const isRival = (standing: Member, own: Member): boolean => standing.runId === own.runId;
