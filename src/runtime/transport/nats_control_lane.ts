/**
 * Control messages between nodes. Each chunk is a request: it is sent again until its receiver has answered that all up to
 * it have arrived, across disconnects and restarts of the server. The receiver lets each through once, in order. Frames
 * wait here, and not in the client: little is under way at a time, and nothing is sent again that the client still holds.
 */

import type { FramePieces } from './frame.ts';
import { bareChunk, ChunkKind, type Chunk } from './link_chunk.ts';
import { LinkBroken } from './link_errors.ts';
import { LinkOutbox } from './link_outbox.ts';
import { LinkReceiver } from './link_receiver.ts';
import type { LaneOptions } from './nats_lane.ts';
import { subjectOf } from './nats_subject.ts';

interface Outbound {
  readonly outbox: LinkOutbox;
  readonly subject: string;
  /** Where acknowledgements are to go. */
  readonly reply: string;
  /** The server has taken all up to this attempt. */
  takenAttempt: number;
}

export class NatsControlLane {
  readonly #options: LaneOptions;
  readonly #outbound = new Map<string, Outbound>();
  readonly #receivers = new Map<string, LinkReceiver>();
  /** Nodes to which something is to be acknowledged. */
  readonly #owed = new Set<string>();
  /** The flush under way. */
  #flushing: Promise<boolean> | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Copies `frame` and sends it until it has arrived. Throws `FrameTooLarge`. */
  send(to: string, gen: number, frame: FramePieces, nowMs: number): void {
    const { node, counters, events } = this.#options;
    const outbound = this.#outboundTo(to);
    const fault = outbound.outbox.offer(frame);
    if (fault === null) {
      counters.framesSent += 1;
      this.#post(outbound, nowMs);
      return;
    }
    counters.unsent += 1;
    events.broken(new LinkBroken(node, to, 'control', gen, fault));
  }

  receive(from: string, chunk: Chunk, nowMs: number): void {
    if (chunk.kind !== ChunkKind.frame) {
      this.#options.counters.malformed += 1;
      return;
    }
    const fault = this.#receiverFrom(from).accept(chunk, nowMs);
    if (fault !== null) {
      const { node, events } = this.#options;
      events.broken(new LinkBroken(from, node, 'control', chunk.gen, fault));
    }
    if (this.#owed.size === 0) queueMicrotask(() => this.#acknowledge());
    this.#owed.add(from);
  }

  /** An answer from `from`: all before `sequence` has arrived. */
  acknowledged(from: string, { kind, incarnation, base, sequence, attempt }: Chunk, nowMs: number): void {
    const { identity, counters, incarnationOf } = this.#options;
    const outbound = this.#outbound.get(from);
    const isMeant = (incarnationOf(from) ?? incarnation) === incarnation && base === identity.incarnation;
    if (kind !== ChunkKind.acknowledge || !isMeant || outbound === undefined) {
      counters.stale += 1;
      return;
    }
    outbound.outbox.acknowledged(sequence, attempt, nowMs);
    this.#post(outbound, nowMs);
  }

  /** Sends again what is overdue. */
  tick(nowMs: number): void {
    for (const outbound of this.#outbound.values()) this.#post(outbound, nowMs);
    this.#flush();
  }

  /** The connection is back: all that is not acknowledged is sent again, a window at a time. */
  connected(nowMs: number): void {
    this.#flushing = null;
    for (const { outbox } of this.#outbound.values()) outbox.reconnected();
    this.tick(nowMs);
  }

  /** Forgets a node that is gone for good, with what waits for it: another life of its name begins anew. */
  lose(node: string): void {
    this.#options.counters.unsent += this.#outbound.get(node)?.outbox.clear() ?? 0;
    this.#outbound.delete(node);
    this.#receivers.get(node)?.close();
    this.#receivers.delete(node);
    this.#owed.delete(node);
  }

  close(): void {
    for (const receiver of this.#receivers.values()) receiver.close();
  }

  #post({ outbox, subject, reply, takenAttempt }: Outbound, nowMs: number): void {
    const { channel, counters } = this.#options;
    if (outbox.isEmpty || !channel.isConnected) return;
    for (const bytes of outbox.due(nowMs, takenAttempt)) {
      // A copy, since the outbox seals it anew when it goes out again.
      if (channel.publish(subject, Buffer.from(bytes), reply)) counters.bytesSent += bytes.length;
    }
  }

  /** Asks how far the server has taken what is under way, one question at a time. */
  #flush(): void {
    const { channel } = this.#options;
    const open = [...this.#outbound.values()].filter(
      ({ outbox, takenAttempt }) => !outbox.isEmpty && outbox.attempt > takenAttempt,
    );
    if (open.length === 0 || this.#flushing !== null || !channel.isConnected) return;
    const marks = open.map((outbound) => ({ outbound, attempt: outbound.outbox.attempt }));
    const flushing = channel.flush();
    this.#flushing = flushing;
    void flushing.then((isConfirmed) => {
      if (this.#flushing !== flushing) return;
      this.#flushing = null;
      if (isConfirmed) for (const { outbound, attempt } of marks) outbound.takenAttempt = attempt;
    });
  }

  #acknowledge(): void {
    const { cluster, node, identity, channel } = this.#options;
    for (const to of this.#owed) {
      const receiver = this.#receivers.get(to);
      if (receiver === undefined) continue;
      const fields = { gen: 0, sequence: receiver.expected, base: receiver.incarnation, attempt: receiver.seenAttempt };
      const bytes = bareChunk(identity, { kind: ChunkKind.acknowledge, ...fields });
      channel.publish(subjectOf(cluster, 'ack', to, node), bytes);
    }
    this.#owed.clear();
  }

  #outboundTo(to: string): Outbound {
    const known = this.#outbound.get(to);
    if (known !== undefined) return known;
    const { cluster, node, identity, limits, counters } = this.#options;
    const outbound = {
      outbox: new LinkOutbox({ to, identity, limits, counters }),
      subject: subjectOf(cluster, 'control', to, node),
      reply: subjectOf(cluster, 'ack', node, to),
      takenAttempt: 0,
    };
    this.#outbound.set(to, outbound);
    return outbound;
  }

  #receiverFrom(from: string): LinkReceiver {
    const known = this.#receivers.get(from);
    if (known !== undefined) return known;
    const { pool, budget, counters, limits, events, incarnationOf } = this.#options;
    const receiver = new LinkReceiver({
      ...limits,
      incarnation: incarnationOf(from),
      strict: false,
      isLent: false,
      pool,
      budget,
      counters,
      onFrame: (frame, bytes) => events.frame(from, 'control', frame, bytes),
    });
    this.#receivers.set(from, receiver);
    return receiver;
  }
}
