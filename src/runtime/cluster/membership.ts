/**
 * A membership is one observer's view of the cluster: it polls the registrations and tells who joined, left or died.
 * The leader and the launcher each have one; what they see is theirs alone, and what follows from it goes through the
 * gen.
 */

import type { Clock, Timer } from '../system/clock.ts';
import type { KvStore } from './kv_store.ts';
import { NO_LEASES, observe, type LeaseState, type LeaseTerms } from './lease.ts';
import { memberKey, MEMBERS, parseMember, type Member } from './member.ts';
import { KvUnavailable } from './membership_errors.ts';

export interface MembershipEvents {
  /** New, or alive again after it was declared dead. */
  joined(member: Member): void;
  /** It left by itself, or was removed. */
  left(member: Member): void;
  /** No beat for a lease, or a later life of the node has registered. Told once; the record stays until `remove`. */
  died(member: Member): void;
  /** The store could not be read; while this lasts nobody dies. */
  blind?(error: KvUnavailable): void;
  /** What was read makes no sense, or one of these handlers threw: polling has ended. */
  failed(error: unknown): void;
}

export interface MembershipOptions {
  readonly store: KvStore;
  readonly clock: Clock;
  /** Records of other runs are ignored. */
  readonly runId: string;
  readonly leaseMs: number;
  readonly events: MembershipEvents;
}

/** Polls in a lease; a gap of two of them makes the observer blind. */
const POLLS_PER_LEASE = 4;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #terms: LeaseTerms;
  #leases: LeaseState = NO_LEASES;
  #members: ReadonlyMap<string, Member> = new Map();
  #timer: Timer | null = null;
  #stopped = false;

  private constructor(options: MembershipOptions) {
    const { leaseMs } = options;
    this.#options = options;
    this.#terms = { leaseMs, maxGapMs: (2 * leaseMs) / POLLS_PER_LEASE };
  }

  /** Reads the registrations, tells who is there, and goes on polling. Throws `KvUnavailable`, `DamagedRecord`. */
  static async open(options: MembershipOptions): Promise<Membership> {
    const membership = new Membership(options);
    await membership.#poll();
    membership.#arm();
    return membership;
  }

  /** Those registered and not declared dead, by name. */
  get alive(): readonly Member[] {
    return [...this.#members.values()].filter(({ node }) => this.#leases.seen.get(node)?.isDead === false);
  }

  /** Reads the registrations now, besides the regular polls, and tells what is new. Throws `KvUnavailable`. */
  look(): Promise<void> {
    return this.#poll();
  }

  /** See `removeMember`. */
  remove(node: string): Promise<void> {
    return removeMember(this.#options.store, node);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    const { clock, leaseMs, events } = this.#options;
    if (this.#stopped) return;
    this.#timer = clock.after(leaseMs / POLLS_PER_LEASE, () => {
      this.#poll()
        .catch((error: unknown) => {
          if (error instanceof KvUnavailable) return events.blind?.(error);
          if (this.#stopped) return;
          this.stop();
          events.failed(error);
        })
        .finally(() => this.#arm());
    });
  }

  async #poll(): Promise<void> {
    const { store, clock, runId, events } = this.#options;
    const startMs = clock.now();
    const entries = await store.list(MEMBERS);
    if (this.#stopped) return;
    const registered = entries
      .map((entry) => ({ member: parseMember(entry), revision: entry.revision }))
      .filter(({ member }) => member.runId === runId);
    const signs = new Map(
      registered.map(({ member, revision }) => [member.node, { revision, incarnation: member.incarnation }]),
    );
    const before = this.#members;
    const now = new Map(registered.map(({ member }) => [member.node, member]));
    const news = observe(this.#leases, { startMs, endMs: clock.now(), signs }, this.#terms);
    this.#leases = news.state;
    this.#members = now;
    for (const member of pick(before, news.left)) events.left(member);
    for (const member of pick(before, news.died)) events.died(member);
    for (const member of pick(now, news.joined)) events.joined(member);
  }
}

/** Removes the record of a node, dead or not; if it lives, it learns so by its next beat. Throws `KvUnavailable`. */
export async function removeMember(store: KvStore, node: string): Promise<void> {
  const entry = await store.find(memberKey(node));
  if (entry !== null) await store.remove(entry.key, entry.revision);
}

const pick = (members: ReadonlyMap<string, Member>, nodes: readonly string[]): Member[] =>
  nodes.map((node) => members.get(node)).filter((member) => member !== undefined);
