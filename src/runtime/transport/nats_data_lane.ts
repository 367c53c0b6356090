/**
 * Bulk data between nodes. It is sent once: what a disconnect or a slow receiver costs is noticed at a gap, at a stall or
 * at the disconnect itself, and breaks the link for the rest of its gen. Frames wait here, and not in the client, while
 * the flush window is full.
 */

import { piecesBytes, type FramePieces } from './frame.ts';
import { LinkBuffers } from './link_buffers.ts';
import { ChunkKind, type Chunk } from './link_chunk.ts';
import { FrameTooLarge, LinkBroken, type LinkFault } from './link_errors.ts';
import { LinkReceiver } from './link_receiver.ts';
import { LinkSender } from './link_sender.ts';
import type { LaneOptions } from './nats_lane.ts';
import { wrapMessage } from './nats_message.ts';
import { subjectOf } from './nats_subject.ts';
import { FlushWindow } from './nats_window.ts';

interface Outbound {
  readonly sender: LinkSender;
  readonly subject: string;
  isBroken: boolean;
  lastSentMs: number;
}

interface Waiting {
  readonly outbound: Outbound;
  readonly gen: number;
  readonly bytes: Buffer;
  /** The first chunk stands for its frame when frames are counted. */
  readonly isFirst: boolean;
}

/** Shorter chunks are collected by the client, longer ones written from where they are. */
const LEAST_WRITE_BYTES = 16 * 1024;

export class NatsDataLane {
  readonly #options: LaneOptions;
  readonly #window: FlushWindow;
  readonly #buffers = new LinkBuffers();
  readonly #outbound = new Map<string, Outbound>();
  readonly #inbound = new Map<string, LinkReceiver>();
  /** The gen of which data is let in. */
  #gen = 0;
  #queue: Waiting[] = [];
  #next = 0;
  #queuedBytes = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#window = new FlushWindow(options.limits.unflushedBytes);
  }

  /** Copies `frame` and sends it when there is room. Throws `FrameTooLarge`. */
  send(to: string, gen: number, frame: FramePieces, nowMs: number): void {
    const { limits, counters, channel } = this.#options;
    const frameBytes = piecesBytes(frame);
    if (frameBytes > limits.maxFrameBytes) throw new FrameTooLarge(to, frameBytes, limits.maxFrameBytes);
    const outbound = this.#outboundTo(to);
    if (gen > outbound.sender.gen) {
      outbound.sender.enter(gen);
      outbound.isBroken = false;
    }
    const queuedBytes = this.#queuedBytes + frameBytes;
    if (!outbound.isBroken && !channel.isConnected) this.#breakOut(to, outbound, { kind: 'disconnected' });
    if (!outbound.isBroken && queuedBytes > limits.maxQueuedBytes)
      this.#breakOut(to, outbound, { kind: 'overflow', bytes: queuedBytes, limitBytes: limits.maxQueuedBytes });
    if (outbound.isBroken || gen < outbound.sender.gen) {
      counters.unsent += 1;
      return;
    }
    for (const [index, bytes] of outbound.sender.cut(frame, 0, this.#buffers.take).entries()) {
      this.#queue.push({ outbound, gen, bytes, isFirst: index === 0 });
      this.#queuedBytes += bytes.length;
    }
    outbound.lastSentMs = nowMs;
    this.#pump();
  }

  receive(from: string, chunk: Chunk, nowMs: number): void {
    if (chunk.kind === ChunkKind.acknowledge) {
      this.#options.counters.malformed += 1;
      return;
    }
    const receiver = this.#inboundFrom(from);
    if (chunk.kind === ChunkKind.tail) receiver.promised(chunk, nowMs);
    else this.#report(from, receiver, receiver.accept(chunk, nowMs));
  }

  /** Looks for stalls, and says on silent links how far they have sent. */
  tick(nowMs: number): void {
    for (const [from, receiver] of this.#inbound) this.#report(from, receiver, receiver.check(nowMs));
    for (const outbound of this.#outbound.values()) {
      const { sender, subject, isBroken, lastSentMs } = outbound;
      if (isBroken || sender.sequence === 0 || nowMs - lastSentMs < this.#options.limits.tailMs) continue;
      outbound.lastSentMs = nowMs;
      if (this.#queue.length === 0) this.#options.channel.publish(subject, sender.tail());
    }
  }

  /** Every link that carried anything in its gen is broken. */
  disconnected(): void {
    this.#window.reset();
    this.#buffers.forget();
    for (const [to, outbound] of this.#outbound)
      if (!outbound.isBroken && outbound.sender.sequence > 0) this.#breakOut(to, outbound, { kind: 'disconnected' });
    for (const [from, receiver] of this.#inbound) this.#report(from, receiver, receiver.disconnected());
    this.#clearQueue();
  }

  /** Lets data of `gen` in, and lets go of incomplete frames of lower ones. */
  enter(gen: number): void {
    this.#gen = Math.max(this.#gen, gen);
    for (const receiver of this.#inbound.values()) receiver.enter(gen);
  }

  /** Forgets a node that is gone for good. */
  lose(node: string): void {
    const outbound = this.#outbound.get(node);
    if (outbound !== undefined) outbound.isBroken = true;
    this.#outbound.delete(node);
    this.#inbound.get(node)?.close();
    this.#inbound.delete(node);
  }

  close(): void {
    this.#clearQueue();
    for (const receiver of this.#inbound.values()) receiver.close();
    this.#inbound.clear();
  }

  /** Hands over what the window allows; called again by each flush that comes back. */
  #pump(): void {
    const { counters } = this.#options;
    while (this.#next < this.#queue.length && this.#window.isOpen) {
      const { outbound, gen, bytes, isFirst } = this.#queue[this.#next++];
      this.#queuedBytes -= bytes.length;
      const isWanted = !outbound.isBroken && gen === outbound.sender.gen;
      const isSent = isWanted && this.#hand(outbound.subject, bytes);
      if (isFirst) counters[isSent ? 'framesSent' : 'unsent'] += 1;
      if (!isSent) {
        this.#buffers.giveBack(bytes);
        continue;
      }
      counters.bytesSent += bytes.length;
      this.#buffers.lend(bytes, this.#window.sent(bytes.length));
      this.#flush(false);
    }
    const isDrained = this.#next === this.#queue.length;
    if (isDrained) this.#clearQueue();
    this.#flush(isDrained);
  }

  #hand(subject: string, bytes: Buffer): boolean {
    const { channel } = this.#options;
    if (bytes.length < LEAST_WRITE_BYTES) return channel.publish(subject, bytes);
    return channel.write(wrapMessage(subject, bytes));
  }

  #flush(isIdle: boolean): void {
    const mark = this.#window.mark(isIdle && this.#window.unflushedBytes > 0);
    if (mark === null) return;
    void this.#options.channel.flush().then((isConfirmed) => {
      if (!isConfirmed) return;
      this.#window.confirmed(mark);
      this.#buffers.confirmed(mark);
      this.#pump();
    });
  }

  #clearQueue(): void {
    for (const { isFirst } of this.#queue.slice(this.#next)) if (isFirst) this.#options.counters.unsent += 1;
    this.#queue = [];
    this.#next = 0;
    this.#queuedBytes = 0;
  }

  #breakOut(to: string, outbound: Outbound, fault: LinkFault): void {
    outbound.isBroken = true;
    const { node, events } = this.#options;
    events.broken(new LinkBroken(node, to, 'data', outbound.sender.gen, fault));
  }

  #report(from: string, { gen }: LinkReceiver, fault: LinkFault | null): void {
    const { node, events } = this.#options;
    if (fault !== null) events.broken(new LinkBroken(from, node, 'data', gen, fault));
  }

  #outboundTo(to: string): Outbound {
    const known = this.#outbound.get(to);
    if (known !== undefined) return known;
    const { cluster, node, identity, limits } = this.#options;
    const sender = new LinkSender(identity, limits.chunkBytes);
    const outbound = { sender, subject: subjectOf(cluster, 'data', to, node), isBroken: false, lastSentMs: 0 };
    this.#outbound.set(to, outbound);
    return outbound;
  }

  #inboundFrom(from: string): LinkReceiver {
    const known = this.#inbound.get(from);
    if (known !== undefined) return known;
    const { pool, budget, counters, limits, events, incarnationOf } = this.#options;
    const receiver = new LinkReceiver({
      ...limits,
      incarnation: incarnationOf(from),
      strict: true,
      isLent: true,
      pool,
      budget,
      counters,
      onFrame: (frame, bytes) => events.frame(from, 'data', frame, bytes),
    });
    receiver.enter(this.#gen);
    this.#inbound.set(from, receiver);
    return receiver;
  }
}
