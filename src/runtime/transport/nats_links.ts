/**
 * The links of one node to all others, as whole frames: two connections, so that control never waits behind data, one
 * clock that ticks for stalls and repeats. It knows nothing of envelopes; a node that hosts several threads can pass
 * frames on as they are.
 */

import type { Msg } from 'nats';
import type { Clock, Timer } from '../system/clock.ts';
import type { Lane } from '../system/protocol.ts';
import type { ArrivalPool, FramePieces } from './frame.ts';
import { readChunk, runNumber } from './link_chunk.ts';
import { LinkCounters } from './link_counters.ts';
import { LINK_LIMITS, type LinkLimits } from './link_limits.ts';
import { PartialBudget } from './link_reassembly.ts';
import { NatsConnection, type NatsAddress } from './nats_connection.ts';
import { NatsControlLane } from './nats_control_lane.ts';
import { NatsDataLane } from './nats_data_lane.ts';
import type { LaneEvents } from './nats_lane.ts';
import { checkNodeName, senderOf, subjectsTo, type SubjectLane } from './nats_subject.ts';

export interface LinkEvents extends LaneEvents {
  /** One of the two connections was lost, or is back. */
  connection?(lane: Lane, isConnected: boolean): void;
  /** The server dropped messages for us, since we were slow. */
  slowConsumer?(lane: Lane): void;
  /** A connection ended for good; nothing can be sent any more. */
  closed?(error: Error | null): void;
}

export interface NatsLinksOptions {
  readonly server: NatsAddress;
  readonly cluster: string;
  /** This node's name, unique in its cluster. */
  readonly node: string;
  /** The run: chunks of another run under the same cluster name are dropped. */
  readonly runId: string;
  readonly clock: Clock;
  readonly pool: ArrivalPool;
  readonly events: LinkEvents;
  /** A connection that is open already, for control; the links close it. Default: a new one. */
  readonly control?: NatsConnection;
  /** Which life of the node this is: a later one must have a higher number. Default: the wall clock in ms. */
  readonly incarnation?: number;
  /** Which life of each other node is meant: of any other nothing is heard. Without it the latest is. */
  readonly incarnations?: ReadonlyMap<string, number>;
  readonly limits?: Partial<LinkLimits>;
  /** How long a server that does not answer is asked; default: once. */
  readonly patienceMs?: number;
}

const NO_RESPONDERS = 503;
const TICK_MS = 100;

export class NatsLinks {
  readonly counters = new LinkCounters();
  readonly node: string;
  /** Carries control, and is there for KV too. */
  readonly controlConnection: NatsConnection;
  /** Carries tensors only. */
  readonly dataConnection: NatsConnection;
  readonly #clock: Clock;
  readonly #control: NatsControlLane;
  readonly #data: NatsDataLane;
  readonly #run: number;
  #ticker: Timer;

  private constructor(options: NatsLinksOptions, control: NatsConnection, data: NatsConnection) {
    const { cluster, node, clock, pool, events, runId, limits } = options;
    this.node = node;
    this.#clock = clock;
    this.controlConnection = control;
    this.dataConnection = data;
    this.#run = runNumber(runId);
    const wanted = { ...LINK_LIMITS, ...limits };
    const chunkBytes = Math.min(wanted.chunkBytes, control.maxPayloadBytes, data.maxPayloadBytes);
    const lane = {
      cluster,
      node,
      identity: { run: this.#run, incarnation: options.incarnation ?? clock.wallMs() },
      incarnationOf: (other: string) => options.incarnations?.get(other),
      limits: { ...wanted, chunkBytes },
      pool,
      budget: new PartialBudget(wanted.maxPartialBytes),
      counters: this.counters,
      events,
    };
    this.#control = new NatsControlLane({ ...lane, channel: control });
    this.#data = new NatsDataLane({ ...lane, channel: data });
    this.#listen(cluster, events);
    this.#ticker = clock.after(TICK_MS, () => this.#tick());
  }

  /**
   * Connects twice and subscribes. Throws `InvalidNodeName`, `NatsUnreachable`, `NatsRefused`, `PayloadTooSmall`. When it
   * resolves, the server knows the subscriptions.
   */
  static async open(options: NatsLinksOptions): Promise<NatsLinks> {
    const { server, clock, patienceMs = 0 } = options;
    const name = `${checkNodeName('cluster', options.cluster)}/${checkNodeName('node', options.node)}`;
    const control =
      options.control ?? (await NatsConnection.openPatiently(server, `${name} control`, { clock, patienceMs }));
    const data = await NatsConnection.openPatiently(server, `${name} data`, {
      clock,
      patienceMs,
      lendsMessages: true,
    }).catch(async (error: unknown) => {
      await control.close();
      throw error;
    });
    const links = new NatsLinks(options, control, data);
    await Promise.all([control.flush(), data.flush()]);
    return links;
  }

  /** Sends a copy of `frame` to node `to`; returns at once. Throws `FrameTooLarge`. */
  send(to: string, lane: Lane, gen: number, frame: FramePieces): void {
    if (lane === 'control') this.#control.send(to, gen, frame, this.#clock.now());
    else this.#data.send(to, gen, frame, this.#clock.now());
  }

  /** Lets data of `gen` in from now on, and nothing of lower ones. Gen 0 is entered from the start. */
  enter(gen: number): void {
    this.#data.enter(gen);
  }

  /** A node is gone for good: what waits for it is given up. One of the same name may come later. */
  lose(node: string): void {
    this.#control.lose(node);
    this.#data.lose(node);
  }

  async close(): Promise<void> {
    this.#ticker.cancel();
    this.#control.close();
    this.#data.close();
    await Promise.all([this.controlConnection.close(), this.dataConnection.close()]);
  }

  #listen(cluster: string, events: LinkEvents): void {
    const take = (lane: SubjectLane, connection: NatsConnection): void =>
      connection.subscribe(subjectsTo(cluster, lane, this.node), (message) => this.#receive(lane, message, events));
    take('control', this.controlConnection);
    take('ack', this.controlConnection);
    take('data', this.dataConnection);
    this.controlConnection.watch({
      connected: () => {
        this.#control.connected(this.#clock.now());
        events.connection?.('control', true);
      },
      disconnected: () => events.connection?.('control', false),
      slowConsumer: () => events.slowConsumer?.('control'),
      closed: (error) => events.closed?.(error),
    });
    this.dataConnection.watch({
      connected: () => events.connection?.('data', true),
      disconnected: () => {
        this.#data.disconnected();
        events.connection?.('data', false);
      },
      slowConsumer: () => events.slowConsumer?.('data'),
      closed: (error) => events.closed?.(error),
    });
  }

  #receive(lane: SubjectLane, { subject, data, headers }: Msg, events: LinkEvents): void {
    const from = senderOf(subject);
    this.counters.bytesReceived += data.length;
    if (headers?.code === NO_RESPONDERS) return events.noResponders(from);
    const chunk = readChunk(data, this.#run, this.counters);
    if (chunk === null) return;
    const nowMs = this.#clock.now();
    if (lane === 'data') this.#data.receive(from, chunk, nowMs);
    else if (lane === 'control') this.#control.receive(from, chunk, nowMs);
    else this.#control.acknowledged(from, chunk, nowMs);
  }

  #tick(): void {
    const nowMs = this.#clock.now();
    this.#control.tick(nowMs);
    this.#data.tick(nowMs);
    this.#ticker = this.#clock.after(TICK_MS, () => this.#tick());
  }
}
