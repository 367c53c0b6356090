/**
 * Where messages leave and enter a system. Leaving: the post stamps them (id, gen, parameter version, chain, trace) and
 * hands them to the transport. Entering: it fences by gen, matches answers to asks, and puts the rest into mailboxes.
 */

import { ActorRef } from './actor_ref.ts';
import { outsideAddress, type Address } from './address.ts';
import { Asks } from './asks.ts';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { DeadLetterReason, DeadLetters } from './dead_letters.ts';
import type { Delivery } from './delivery.ts';
import { NO_CHAIN, type Route } from './envelope.ts';
import { fromErrorForm, toErrorForm } from './error_form.ts';
import { AskCycle, MailboxFull, MalformedFrame, NoSuchActor, SystemStopped, WrongGen } from './errors.ts';
import type { Faults } from './faults.ts';
import { loggerFor, type LogSink } from './log.ts';
import { Outgoing } from './outgoing.ts';
import { protocolNamed, type AnyProtocol } from './protocol.ts';
import type { Recipient } from './recipient.ts';
import type { Addressed } from './ref.ts';
import type { Sender } from './sender.ts';
import { Outside, routeFrom, type Speaker } from './speaker.ts';
import type { Endpoint, Transport } from './transport_port.ts';
import { sendDown } from './watch.ts';

export interface PostOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly deadLetters: DeadLetters;
  readonly transport: Transport;
  readonly cells: ReadonlyMap<Address, Recipient>;
  readonly askTimeoutMs: number;
  readonly faults: Faults | null;
  readonly logSink: LogSink;
}

export class Post implements Endpoint, Sender {
  readonly outside: Address;
  readonly speaker: Speaker;
  readonly counters: Counters;
  readonly deadLetters: DeadLetters;
  readonly asks: Asks;
  /** See `Transport.poll`. */
  readonly poll: (() => void) | null;
  readonly #options: PostOptions;
  readonly #out = new Outgoing();
  #gen = 0;
  #nextId = 1;
  #stopped = false;

  constructor(options: PostOptions) {
    this.#options = options;
    this.outside = outsideAddress(options.name);
    this.speaker = new Outside(this.outside);
    this.counters = options.counters;
    this.deadLetters = options.deadLetters;
    this.poll = options.transport.poll ?? null;
    this.asks = new Asks(options.clock, (address) => {
      const cell = options.cells.get(address);
      return { mailboxDepth: cell?.mailbox.depth ?? null, lastHandled: cell?.hand.lastHandled ?? null };
    });
    options.transport.attach(this);
  }

  get gen(): number {
    return this.#gen;
  }

  /** Raises the gen; asks of former gens fail with `WrongGen`. */
  enter(gen: number): void {
    this.#gen = gen;
    this.asks.enter(gen);
  }

  ref<P extends AnyProtocol>(speaker: Speaker, protocol: P, address: Address): ActorRef<P> {
    return new ActorRef(this, speaker, protocol, address);
  }

  tell(route: Route, speaker: Speaker, args: unknown): void {
    if (speaker.ended) this.deadLetters.add(route, 'sender ended');
    else this.#send(route, speaker, this.#nextId++, 0, null, NO_CHAIN, args);
  }

  ask(route: Route, speaker: Speaker, args: unknown, timeoutMs = this.#options.askTimeoutMs): Promise<unknown> {
    if (speaker.ended || this.#stopped) return Promise.reject(new SystemStopped(this.#options.name));
    const chain = speaker.isActor ? [...(speaker.current?.askChain ?? NO_CHAIN), speaker.address] : NO_CHAIN;
    if (chain.includes(route.to)) return Promise.reject(new AskCycle(chain, route.to, route.message));
    const gen = this.#genOf(speaker);
    if (route.fenced && gen !== this.#gen) return Promise.reject(new WrongGen(route.to, route.message, gen, this.#gen));
    const waitMs = Math.min(timeoutMs, this.remainingMs(speaker.current) ?? timeoutMs);
    const id = this.#nextId++;
    // Opened before it is sent: in process the refusal of a message comes back before send returns.
    const answer = this.asks.open(id, route, gen, waitMs);
    try {
      const isKnown = this.#send(route, speaker, id, 0, waitMs, chain, args) > 0;
      if (!isKnown) this.asks.take(id)?.reject(new NoSuchActor(route.to, route.message));
    } catch (error) {
      this.asks.take(id)?.reject(error);
    }
    return answer;
  }

  send(route: Route, speaker: Speaker, inReplyTo: number, args: unknown): number {
    return this.#send(route, speaker, this.#nextId++, inReplyTo, null, NO_CHAIN, args);
  }

  /** Milliseconds until the asker of `delivery` gives up. */
  remainingMs(delivery: Delivery | null): number | null {
    if (delivery === null || delivery.remainingMs === null) return null;
    return Math.max(0, delivery.remainingMs - (this.#options.clock.now() - delivery.receivedAtMs));
  }

  receive(delivery: Delivery): void {
    const { faults } = this.#options;
    if (faults === null) this.#admit(delivery);
    else faults.apply(delivery, { admit: (d) => this.#admit(d), kill: (to) => this.#options.cells.get(to)?.kill() });
  }

  malformed(error: Error): void {
    this.counters.malformed += 1;
    loggerFor(this.outside, this.#options.logSink).warn(error.message);
  }

  lost(isLost: (address: Address) => boolean): void {
    this.asks.lost(isLost);
    for (const { watching } of this.#options.cells.values()) watching.lost(isLost);
  }

  revive(owner: Address, address: Address, protocolName: string): Addressed {
    const protocol = protocolNamed(protocolName);
    if (protocol === undefined) throw new MalformedFrame(`a ref of protocol '${protocolName}', not declared here`);
    return this.#options.cells.get(owner)?.refs.ref(protocol, address) ?? this.ref(this.speaker, protocol, address);
  }

  stop(): void {
    this.#stopped = true;
    this.asks.stop(new SystemStopped(this.#options.name));
    this.#options.transport.detach(this);
    this.deadLetters.flush();
  }

  /** Tells the sender of `delivery`, if it asked, that it failed. */
  sendError(delivery: Delivery, { incarnation }: Pick<Speaker, 'incarnation'>, error: unknown): void {
    const { kind, to, from, message, fenced } = delivery.route;
    if (kind !== 'ask') return;
    const route = routeFrom({ address: to, incarnation }, from, message, 'error', 'control', fenced);
    this.send(route, this.speaker, delivery.id, toErrorForm(error));
  }

  /** `sendError`, and lets the delivery go unhandled. */
  refuse(delivery: Delivery, speaker: Pick<Speaker, 'incarnation'>, error: unknown): void {
    this.sendError(delivery, speaker, error);
    delivery.lease?.release();
  }

  /** A message that nobody takes. What actors learn of each other's ends is none: who has ended need not know. */
  deadLetter(delivery: Delivery, why: DeadLetterReason): void {
    const { kind } = delivery.route;
    if (kind === 'watch') sendDown(this, delivery.route.to, delivery.route.from, 'gone', null);
    if (kind === 'tell' || kind === 'ask') this.deadLetters.add(delivery.route, why);
    this.refuse(delivery, this.speaker, new NoSuchActor(delivery.route.to, delivery.route.message));
  }

  /** Lets go and counts what is not of this system's gen; true if `delivery` was. */
  fence(delivery: Delivery): boolean {
    const { fenced, to, message } = delivery.route;
    if (delivery.gen === this.#gen || !fenced) return false;
    if (delivery.gen < this.#gen) {
      this.counters.droppedStale += 1;
      delivery.lease?.release();
    } else {
      this.counters.refusedAhead += 1;
      this.deadLetters.refused(delivery.route, 'gen not entered');
      this.refuse(delivery, this.speaker, new WrongGen(to, message, delivery.gen, this.#gen));
    }
    return true;
  }

  #admit(delivery: Delivery): void {
    if (this.fence(delivery)) return;
    const { kind, to } = delivery.route;
    if (kind === 'reply' || kind === 'error') return this.#settle(delivery);
    const cell = this.#options.cells.get(to);
    if (kind === 'undeliverable') return this.#overflowed(delivery, cell);
    if (delivery.remainingMs !== null) delivery.receivedAtMs = this.#options.clock.now();
    if (cell === undefined) this.deadLetter(delivery, 'no such actor');
    else if (!cell.accept(delivery)) this.#refuseFull(delivery, cell);
  }

  #settle(delivery: Delivery): void {
    const asked = this.asks.take(delivery.replyTo, delivery.route.from);
    if (asked === undefined) this.counters.lateReplies += 1;
    else if (delivery.route.kind === 'reply') asked.resolve(delivery.args);
    else asked.reject(fromErrorForm(delivery.args));
    delivery.lease?.release();
  }

  #refuseFull(delivery: Delivery, cell: Recipient): void {
    const { kind, to, from, message, fenced } = delivery.route;
    const error = new MailboxFull(to, message, cell.mailbox.dataCapacity);
    const notice = routeFrom(cell, from, message, 'undeliverable', 'control', fenced);
    this.deadLetters.refused(delivery.route, 'mailbox full');
    if (kind === 'tell') this.send(notice, this.speaker, delivery.id, toErrorForm(error));
    else this.counters.mailboxFull += 1;
    this.refuse(delivery, cell, error);
  }

  /** A message of ours found a full mailbox: whoever sent it did not keep to its credits. */
  #overflowed(delivery: Delivery, sender: Recipient | undefined): void {
    this.counters.mailboxFull += 1;
    const error = fromErrorForm(delivery.args);
    if (sender !== undefined) sender.fail(error);
    else loggerFor(delivery.route.to, this.#options.logSink).error(error.message);
  }

  #genOf({ current }: Speaker): number {
    // A handler that outlives its gen goes on speaking in the old one, so that nobody listens.
    return current !== null && current.route.fenced ? current.gen : this.#gen;
  }

  #send(
    route: Route,
    speaker: Speaker,
    id: number,
    replyTo: number,
    remainingMs: number | null,
    askChain: readonly Address[],
    args: unknown,
  ): number {
    const out = this.#out;
    out.route = route;
    out.gen = this.#genOf(speaker);
    out.paramsVersion = speaker.ownParamsVersion;
    out.id = id;
    out.replyTo = replyTo;
    out.remainingMs = remainingMs;
    out.askChain = askChain;
    out.traceparent = speaker.outgoingTraceparent;
    out.args = args;
    const bytes = this.#stopped ? 0 : this.#options.transport.send(out);
    this.counters.sent += 1;
    this.counters.bytesSent += bytes;
    const why = this.#stopped ? 'system stopped' : 'no such actor';
    if (bytes === 0 && route.kind === 'tell') this.deadLetters.add(route, why);
    return bytes;
  }
}
