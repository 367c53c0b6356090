/**
 * An actor that stands in for another: it takes every message of a protocol, writes it down, and lets the test wait for
 * the next. Asks are answered as the test says, or not at all.
 */

import type { Context } from '../system/actor.ts';
import type { Address } from '../system/address.ts';
import { DATA_CAPACITY, type ChildOptions } from '../system/child_spec.ts';
import { checkAddress } from '../system/address.ts';
import type { AnyProtocol } from '../system/protocol.ts';
import { RefIdentity, type Ref } from '../system/ref.ts';
import type { ActorSystem } from '../system/system.ts';

/** A message that a probe got; tensors are copies and stay valid. */
export interface Recorded {
  readonly message: string;
  readonly args: unknown;
  readonly sender: Address;
  readonly gen: number;
  readonly paramsVersion: number | null;
}

export interface ProbeOptions extends ChildOptions {
  /** Answers to asks by message; an ask without one is left open. */
  readonly answers?: Readonly<Record<string, (args: unknown) => unknown>>;
}

export class Probe<P extends AnyProtocol> {
  readonly ref: Ref<P>;
  readonly received: Recorded[] = [];
  #taken = 0;
  readonly #waiting: ((recorded: Recorded) => void)[] = [];

  /** Starts a probe at `address`. */
  constructor(system: ActorSystem, protocol: P, address: Address, options: ProbeOptions = {}) {
    const { answers = {}, restart = 'temporary', dataCapacity = DATA_CAPACITY } = options;
    const handlers: Record<string, (args: unknown, ctx: Context) => unknown> = {};
    for (const [message, { kind }] of Object.entries(protocol.messages)) {
      handlers[message] = (args, ctx) => {
        this.#record({
          message,
          args: copied(args),
          sender: ctx.sender,
          gen: ctx.messageGen,
          paramsVersion: ctx.paramsVersion,
        });
        if (kind === 'tell') return undefined;
        return message in answers ? answers[message](args) : ctx.defer();
      };
    }
    system.start({ address: checkAddress(address), protocol, restart, dataCapacity, create: () => handlers });
    this.ref = system.ref(protocol, address);
  }

  /** The next message not yet taken, as soon as it is there. */
  next(): Promise<Recorded> {
    const recorded = this.received.at(this.#taken);
    if (recorded === undefined) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#taken += 1;
    return Promise.resolve(recorded);
  }

  /** Names of the messages received so far. */
  get messages(): string[] {
    return this.received.map(({ message }) => message);
  }

  #record(recorded: Recorded): void {
    this.received.push(recorded);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    this.#taken += 1;
    waiting(recorded);
  }
}

/** Received arrays are views over a frame that will be used again. */
function copied(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof RefIdentity) return value;
  if (ArrayBuffer.isView(value)) return structuredClone(value);
  if (Array.isArray(value)) return value.map(copied);
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, copied(field)]));
}
