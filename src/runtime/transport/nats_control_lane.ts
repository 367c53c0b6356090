/**
 * Control messages between nodes. Each chunk is a request: it is sent again until its receiver has answered that all up to
 * it have arrived, across disconnects and restarts of the server. The receiver lets each through once, in order.
 */

import type { FramePieces } from './frame.ts';
import { bareChunk, ChunkKind, type Chunk } from './link_chunk.ts';
import { LinkBroken } from './link_errors.ts';
import { LinkOutbox } from './link_outbox.ts';
import { LinkReceiver } from './link_receiver.ts';
import type { LaneOptions } from './nats_lane.ts';
import { subjectOf } from './nats_subject.ts';

export class NatsControlLane {
  readonly #options: LaneOptions;
  readonly #outboxes = new Map<string, LinkOutbox>();
  readonly #receivers = new Map<string, LinkReceiver>();
  /** Nodes to which something is to be acknowledged. */
  readonly #owed = new Set<string>();

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Copies `frame` and sends it until it has arrived. Throws `FrameTooLarge`. */
  send(to: string, gen: number, frame: FramePieces, nowMs: number): void {
    const { node, counters, events } = this.#options;
    const outbox = this.#outboxTo(to);
    const fault = outbox.offer(frame);
    if (fault === null) {
      counters.framesSent += 1;
      this.#post(to, outbox, nowMs);
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
    this.#receiverFrom(from).accept(chunk, nowMs);
    if (this.#owed.size === 0) queueMicrotask(() => this.#acknowledge());
    this.#owed.add(from);
  }

  /** An answer from `from`: all before `sequence` has arrived. */
  acknowledged(from: string, { kind, base, sequence }: Chunk, nowMs: number): void {
    const { identity, counters } = this.#options;
    const outbox = this.#outboxes.get(from);
    if (kind !== ChunkKind.acknowledge || base !== identity.incarnation || outbox === undefined) {
      counters.stale += 1;
      return;
    }
    outbox.acknowledged(sequence);
    this.#post(from, outbox, nowMs);
  }

  /** Sends again what is overdue. */
  tick(nowMs: number): void {
    for (const [to, outbox] of this.#outboxes) this.#post(to, outbox, nowMs);
  }

  /** The connection is back: all that is not acknowledged goes out at once. */
  connected(nowMs: number): void {
    for (const outbox of this.#outboxes.values()) outbox.reconnected();
    this.tick(nowMs);
  }

  /** Gives up what waits for a node that is gone for good. */
  lose(node: string): void {
    this.#options.counters.unsent += this.#outboxes.get(node)?.clear() ?? 0;
    this.#receivers.get(node)?.close();
  }

  close(): void {
    for (const receiver of this.#receivers.values()) receiver.close();
  }

  #post(to: string, outbox: LinkOutbox, nowMs: number): void {
    const { cluster, node, channel, counters } = this.#options;
    if (outbox.isEmpty || !channel.isConnected) return;
    const subject = subjectOf(cluster, 'control', to, node);
    const reply = subjectOf(cluster, 'ack', node, to);
    for (const bytes of outbox.due(nowMs)) {
      // A copy, since the outbox seals it anew when it goes out again.
      if (channel.publish(subject, Buffer.from(bytes), reply)) counters.bytesSent += bytes.length;
    }
  }

  #acknowledge(): void {
    const { cluster, node, identity, channel } = this.#options;
    for (const to of this.#owed) {
      const receiver = this.#receivers.get(to);
      if (receiver === undefined) continue;
      const fields = { gen: 0, sequence: receiver.expected, base: receiver.incarnation };
      const bytes = bareChunk(identity, { kind: ChunkKind.acknowledge, ...fields });
      channel.publish(subjectOf(cluster, 'ack', to, node), bytes);
    }
    this.#owed.clear();
  }

  #outboxTo(to: string): LinkOutbox {
    const known = this.#outboxes.get(to);
    if (known !== undefined) return known;
    const { identity, limits, counters } = this.#options;
    const outbox = new LinkOutbox({ to, identity, limits, counters });
    this.#outboxes.set(to, outbox);
    return outbox;
  }

  #receiverFrom(from: string): LinkReceiver {
    const known = this.#receivers.get(from);
    if (known !== undefined) return known;
    const { pool, budget, counters, limits, events } = this.#options;
    const receiver = new LinkReceiver({
      ...limits,
      strict: false,
      pool,
      budget,
      counters,
      onFrame: (frame, bytes) => events.frame(from, 'control', frame, bytes),
    });
    this.#receivers.set(from, receiver);
    return receiver;
  }
}
