/**
 * Two control lanes, `a` and `b`, over a network of a given speed, in virtual time. What a lane publishes waits in its
 * client, in order, until the wire has carried it; a flush is confirmed when all before it has been carried.
 */

import { VirtualClock } from '../../../src/runtime/testing/index.ts';
import { HeapFramePool } from '../../../src/runtime/transport/frame.ts';
import { readChunk } from '../../../src/runtime/transport/link_chunk.ts';
import { LinkCounters } from '../../../src/runtime/transport/link_counters.ts';
import { LINK_LIMITS } from '../../../src/runtime/transport/link_limits.ts';
import { PartialBudget } from '../../../src/runtime/transport/link_reassembly.ts';
import { NatsControlLane } from '../../../src/runtime/transport/nats_control_lane.ts';
import { RUN, SENDER } from './link_kit.ts';

const TICK_MS = 100;

export interface SlowWireOptions {
  readonly bytesPerSecond: number;
  /** Whether the `n`th message (from 1) from `a` to `b` is lost on arrival. */
  readonly isLost?: (n: number) => boolean;
}

/** One direction: carries messages in order, each in the time that its bytes take. */
class Way {
  /** What waits in the client. */
  waitingBytes = 0;
  readonly #clock: VirtualClock;
  readonly #bytesPerSecond: number;
  #freeMs = 0;
  /** What is under way on a former connection is lost. */
  #connection = 0;

  constructor(clock: VirtualClock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  carry(bytes: number, then: () => void): void {
    const nowMs = this.#clock.now();
    const connection = this.#connection;
    this.waitingBytes += bytes;
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (bytes / this.#bytesPerSecond) * 1_000;
    this.#clock.after(this.#freeMs - nowMs, () => {
      if (connection !== this.#connection) return;
      this.waitingBytes -= bytes;
      then();
    });
  }

  cut(): void {
    this.#connection += 1;
    this.waitingBytes = 0;
    this.#freeMs = 0;
  }
}

export class SlowWire {
  readonly clock = new VirtualClock();
  /** Of `a`, which sends. */
  readonly counters = new LinkCounters();
  /** The first byte of each frame that has come to `b`, and when the last did. */
  readonly arrived: number[] = [];
  arrivedMs = 0;
  lostBytes = 0;
  mostWaitingBytes = 0;
  readonly #isLost: (n: number) => boolean;
  readonly #there: Way;
  readonly #back: Way;
  readonly #a: NatsControlLane;
  readonly #b: NatsControlLane;
  #isConnected = true;
  #messages = 0;

  constructor({ bytesPerSecond, isLost = () => false }: SlowWireOptions) {
    this.#isLost = isLost;
    this.#there = new Way(this.clock, bytesPerSecond);
    this.#back = new Way(this.clock, bytesPerSecond);
    this.#a = this.#lane('a', this.counters, this.#there, (bytes) => this.#toB(bytes));
    this.#b = this.#lane('b', new LinkCounters(), this.#back, (bytes) => this.#toA(bytes));
    this.#tick();
  }

  /** From `a` to `b`. */
  send(first: number, bytes: number): void {
    this.#a.send('b', 0, [new Uint8Array(bytes).fill(first)], this.clock.now());
  }

  /** The connections are lost with all that is under way, and are back after `ms`. */
  async cut(ms: number): Promise<void> {
    this.#isConnected = false;
    for (const way of [this.#there, this.#back]) way.cut();
    await this.clock.advance(ms);
    this.#isConnected = true;
    for (const lane of [this.#a, this.#b]) lane.connected(this.clock.now());
  }

  #toB(bytes: Uint8Array): void {
    this.#messages += 1;
    const chunk = readChunk(bytes, RUN, this.counters);
    if (this.#isLost(this.#messages)) this.lostBytes += bytes.length;
    else if (chunk !== null) this.#b.receive('a', chunk, this.clock.now());
  }

  #toA(bytes: Uint8Array): void {
    const chunk = readChunk(bytes, RUN, this.counters);
    if (chunk !== null) this.#a.acknowledged('b', chunk, this.clock.now());
  }

  #tick(): void {
    for (const lane of [this.#a, this.#b]) lane.tick(this.clock.now());
    this.clock.after(TICK_MS, () => this.#tick());
  }

  #lane(node: string, counters: LinkCounters, way: Way, arrive: (bytes: Uint8Array) => void): NatsControlLane {
    const isConnected = (): boolean => this.#isConnected;
    return new NatsControlLane({
      cluster: 'test',
      node,
      identity: SENDER,
      incarnationOf: () => undefined,
      channel: {
        get isConnected() {
          return isConnected();
        },
        publish: (_subject, bytes) => {
          way.carry(bytes.length, () => arrive(bytes));
          this.mostWaitingBytes = Math.max(this.mostWaitingBytes, way.waitingBytes);
          return true;
        },
        write: () => false,
        flush: () => new Promise((resolve) => way.carry(0, () => resolve(true))),
      },
      limits: LINK_LIMITS,
      pool: new HeapFramePool(),
      budget: new PartialBudget(LINK_LIMITS.maxPartialBytes),
      counters,
      events: {
        frame: (_from, _lane, frame) => {
          this.arrived.push(frame.bytes[0]);
          this.arrivedMs = this.clock.now();
          frame.release();
        },
        broken: (error) => {
          throw error;
        },
        noResponders: () => undefined,
      },
    });
  }
}
