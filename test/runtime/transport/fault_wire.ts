/**
 * One direction of one connection: pieces of protocol go in, bytes come out after the plan has had its way with the
 * messages among them. Only messages are ever held; all else passes at once.
 */

import type { FaultCounter } from './fault_counter.ts';
import type { NatsPiece } from './nats_parser.ts';
import type { Towards, WireEvent, WirePlan } from './wire_plan.ts';

/** What the wires of a proxy share. */
export interface FaultWireShared {
  readonly counter: FaultCounter;
  /** The one in force. */
  readonly plan: () => WirePlan;
  readonly freeze: (ms: number) => void;
}

export interface FaultWireOptions extends FaultWireShared {
  readonly towards: Towards;
  readonly write: (bytes: Buffer) => void;
  /** Ends the connection. */
  readonly cut: () => void;
}

interface Held {
  readonly message: NatsPiece;
  /** Later messages of its subject that are to pass first. */
  messages: number;
  readonly timer: NodeJS.Timeout | undefined;
}

export class FaultWire {
  readonly #options: FaultWireOptions;
  readonly #held = new Set<Held>();

  constructor(options: FaultWireOptions) {
    this.#options = options;
  }

  pass(piece: NatsPiece): void {
    const { towards, plan, counter, write } = this.#options;
    if (piece.subject === null) return write(piece.bytes);
    const event = plan().judge(towards, piece);
    if (event === null) return this.#send(piece);
    this.#carryOut(event, piece);
    // Counted when it has been done, for whoever awaits it.
    counter.add(event.fault.kind);
  }

  /** What is held is lost. */
  close(): void {
    for (const { timer } of this.#held) clearTimeout(timer);
    this.#held.clear();
  }

  #carryOut({ fault, draw }: WireEvent, message: NatsPiece): void {
    switch (fault.kind) {
      case 'drop':
        return;
      case 'cut':
        return this.#options.cut();
      case 'corrupt':
        flipBit(message, draw);
        return this.#send(message);
      case 'duplicate':
        for (let copy = 0; copy <= (fault.copies ?? 1); copy++) this.#send(message);
        return;
      case 'reorder':
        return this.#hold(message, 1, fault.ms);
      case 'delay':
        return this.#hold(message, fault.messages ?? Infinity, fault.ms);
      case 'freeze':
        this.#options.freeze(fault.ms);
        return this.#send(message);
    }
  }

  #send({ subject, bytes }: NatsPiece): void {
    this.#options.write(bytes);
    for (const held of this.#held) {
      if (held.message.subject !== subject) continue;
      held.messages -= 1;
      if (held.messages === 0) this.#release(held);
    }
  }

  #hold(message: NatsPiece, messages: number, ms: number): void {
    const timer = ms === Infinity ? undefined : setTimeout(() => this.#release(held), ms);
    const held: Held = { message, messages, timer };
    this.#held.add(held);
  }

  #release(held: Held): void {
    clearTimeout(held.timer);
    this.#held.delete(held);
    this.#options.write(held.message.bytes);
  }
}

function flipBit({ bytes, payloadAt, payloadBytes }: NatsPiece, draw: number): void {
  bytes[payloadAt + ((draw >>> 3) % payloadBytes)] ^= 1 << (draw & 7);
}
