/**
 * The usher: the one actor of every system that may change its gen. It enters first, so that nothing of the former gen
 * is let in any more, and then asks each of its roles to drop the pass under way; that question waits for the message
 * that a role has in hand, so when it is answered the system is quiet.
 */
import type { Actor, ActorScope, ArgsOf } from '../runtime/index.ts';
import { expertGroupProtocol, expertProtocol } from './protocol/expert.ts';
import type { usherProtocol } from './protocol/usher.ts';

type Messages = typeof usherProtocol;

/** The part of a system that its usher needs. */
export interface UsheredSystem {
  readonly gen: number;
  enter(gen: number): void;
  bytesSentBy(): Readonly<Record<string, number>>;
}

/** Addresses of the actors in the usher's system that take part in a pass. */
export interface Ushered {
  readonly groups: readonly string[];
  /** Stages, routers and experts. */
  readonly holders: readonly string[];
}

/** A message in hand is native code at worst: it ends, and cannot be asked in between. */
const patienceMs = 10 * 60_000;

export class Usher implements Actor<Messages> {
  private readonly system: UsheredSystem;
  private readonly ushered: Ushered;
  private readonly scope: ActorScope;

  constructor(system: UsheredSystem, ushered: Ushered, scope: ActorScope) {
    this.system = system;
    this.ushered = ushered;
    this.scope = scope;
  }

  async enter({ gen }: ArgsOf<Messages, 'enter'>): Promise<number[]> {
    this.system.enter(gen);
    // Groups first: then no expert comes to its vote any more.
    await Promise.all(
      this.ushered.groups.map((address) => this.group(address).ask.abandon(undefined, { timeoutMs: patienceMs })),
    );
    return Promise.all(
      this.ushered.holders.map((address) => this.holder(address).ask.abandon(undefined, { timeoutMs: patienceMs })),
    );
  }

  async settle({ gen, decision }: ArgsOf<Messages, 'settle'>): Promise<void> {
    // A later gen has its own settlement.
    if (gen !== this.system.gen) return;
    await Promise.all(
      this.ushered.holders.map((address) => this.holder(address).ask.settle({ decision }, { timeoutMs: patienceMs })),
    );
  }

  sent(): Readonly<Record<string, number>> {
    return this.system.bytesSentBy();
  }

  private group(address: string) {
    return this.scope.ref(expertGroupProtocol, address);
  }

  /** `abandon` and `settle` are the same messages for every role that holds parameters. */
  private holder(address: string) {
    return this.scope.ref(expertProtocol, address);
  }
}
