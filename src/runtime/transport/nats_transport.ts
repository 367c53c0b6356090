/**
 * The transport between nodes. What is for an actor of this node goes to a near transport; what is for another node is
 * encoded whole and sent over the links. Which node an address lives on is told from outside: placement is not decided
 * here. It is the gateway of the node's threads too: their frames for other nodes go on over the links as they are, and
 * those that come for their actors go on to them.
 *
 *     const host = startWorkers({ name: 'node-0', ..., placement });
 *     const transport = await NatsTransport.open({ node: 'node-0', near: host.transport, directory, ... });
 *     const system = new ActorSystem({ name: host.name, transport });
 */

import type { Address } from '../system/address.ts';
import type { Envelope, Route } from '../system/envelope.ts';
import { MalformedFrame } from '../system/errors.ts';
import type { Lane } from '../system/protocol.ts';
import type { Endpoint, Transport } from '../system/transport_port.ts';
import { Codec, type Encoded } from './codec.ts';
import { HeapFramePool, piecesBytes, type ArrivalPool, type Frame, type FramePieces } from './frame.ts';
import type { Gateway, NearTransport } from './gateway.ts';
import type { LinkCounters } from './link_counters.ts';
import { LocalTransport } from './local.ts';
import { NatsLinks, type LinkEvents, type NatsLinksOptions } from './nats_links.ts';
import { Suspects } from './suspects.ts';
import { Stamp } from './wire.ts';

/** The node that hosts an address (`@system` addresses among them), or null if nobody does. */
export type NodeDirectory = (address: Address) => string | null;

export interface NatsTransportOptions extends Omit<NatsLinksOptions, 'pool' | 'events'> {
  readonly directory: NodeDirectory;
  readonly events: Omit<LinkEvents, 'frame'>;
  /**
   * Carries messages between the threads of this node, and must place all addresses of other nodes, `@system` ones too, on
   * this thread. Default: this thread is alone.
   */
  readonly near?: NearTransport;
  /** Without `near`: memory for all frames. */
  readonly pool?: ArrivalPool;
}

export class NatsTransport implements Transport, Gateway {
  /** Where frames from other nodes are put together. */
  readonly pool: ArrivalPool;
  readonly poll?: () => void;
  readonly #node: string;
  readonly #directory: NodeDirectory;
  readonly #near: Transport;
  /** The near transport, if it reaches other threads. */
  readonly #threads: NearTransport | null;
  readonly #codec: Codec;
  readonly #endpoints = new Map<Address, Endpoint>();
  readonly #attached = new Set<Endpoint>();
  #links: NatsLinks | null = null;
  readonly #suspects = new Suspects();
  #bytes = 0;

  private constructor(options: NatsTransportOptions) {
    const { near = null, pool = new HeapFramePool(), node, directory } = options;
    this.pool = near?.arrivals ?? pool;
    this.#node = node;
    this.#directory = directory;
    this.#threads = near;
    this.#near = near ?? new LocalTransport({ pool });
    this.#codec = new Codec(this.pool);
    near?.serve(this);
    if (near?.poll !== undefined) this.poll = near.poll;
  }

  /** Connects this node; throws what `NatsLinks.open` throws. */
  static async open(options: NatsTransportOptions): Promise<NatsTransport> {
    const transport = new NatsTransport(options);
    const { events, pool: _pool, near: _near, directory: _directory, ...links } = options;
    transport.#links = await NatsLinks.open({
      ...links,
      pool: transport.pool,
      events: { ...events, frame: (...arrived) => transport.#receive(...arrived) },
    });
    return transport;
  }

  get links(): NatsLinks {
    if (this.#links === null) throw new RangeError('transport: used before it was open; await NatsTransport.open');
    return this.#links;
  }

  get counters(): LinkCounters {
    return this.links.counters;
  }

  get leased(): number {
    return this.#threads?.leased ?? this.pool.leased;
  }

  get bytesSent(): Readonly<Record<string, number>> {
    return { ...this.#near.bytesSent, nats: this.#bytes };
  }

  attach(endpoint: Endpoint): void {
    this.#attached.add(endpoint);
    this.#endpoints.set(endpoint.outside, endpoint);
    this.#near.attach(endpoint);
  }

  detach(endpoint: Endpoint): void {
    this.#attached.delete(endpoint);
    this.#endpoints.delete(endpoint.outside);
    this.#near.detach(endpoint);
  }

  register(address: Address, endpoint: Endpoint): void {
    this.#endpoints.set(address, endpoint);
    this.#near.register(address, endpoint);
  }

  unregister(address: Address, endpoint: Endpoint): void {
    if (this.#endpoints.get(address) === endpoint) this.#endpoints.delete(address);
    this.#near.unregister(address, endpoint);
  }

  send(envelope: Envelope): number {
    const { to, lane } = envelope.route;
    const node = this.#nodeOf(to);
    if (node === null) return 0;
    if (node === this.#node) return this.#near.send(envelope);
    return this.#sendTo(node, lane, envelope.gen, this.#codec.gather(envelope));
  }

  forward({ to, lane }: Route, { bytes, view, length }: Encoded): boolean {
    const node = this.#nodeOf(to);
    if (node === null || node === this.#node) return false;
    this.#sendTo(node, lane, view.getUint32(Stamp.genU32, true), [bytes.subarray(0, length)]);
    return true;
  }

  /** See `NatsLinks.enter`. */
  enter(gen: number): void {
    this.links.enter(gen);
  }

  /** A node is gone for good: asks to its actors fail, their watchers are told, what waits for it is given up. */
  lose(node: string): void {
    this.links.lose(node);
    for (const endpoint of this.#attached) endpoint.lost((address) => this.#directory(address) === node);
  }

  /** Ends the connections; systems are to be stopped first. */
  close(): Promise<void> {
    return this.links.close();
  }

  #sendTo(node: string, lane: Lane, gen: number, frame: FramePieces): number {
    const bytes = piecesBytes(frame);
    this.links.send(node, lane, gen, frame);
    this.#bytes += bytes;
    return bytes;
  }

  /** Whatever the directory says, an actor that is registered here is here. */
  #nodeOf(address: Address): string | null {
    return this.#endpoints.has(address) ? this.#node : this.#directory(address);
  }

  /** To the system where the actor lives, here or on another thread; if it has ended, to one that answers for it. */
  #receive(node: string, lane: Lane, frame: Frame, length: number): void {
    const encoded: Encoded = { bytes: frame.bytes, view: frame.view, length, frame };
    try {
      const route = this.#codec.routeOf(encoded);
      if (this.#nodeOf(route.from) !== node || route.lane !== lane) {
        frame.release();
        return this.#suspect(node, lane, route);
      }
      const known = this.#endpoints.get(route.to);
      if (known === undefined && this.#threads?.relay(route.to, encoded) === true) return;
      const [first = null] = this.#attached;
      const endpoint = known ?? first;
      if (endpoint === null) frame.release();
      else endpoint.receive(this.#codec.decode(encoded, route, endpoint, false));
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      for (const endpoint of this.#attached) endpoint.malformed(error);
    }
  }

  /** A node speaks for its own actors only, and each lane has its own subjects: the server's permissions bind both. */
  #suspect(node: string, lane: Lane, route: Route): void {
    this.counters.misattributed += 1;
    const error = this.#suspects.add(`node ${node}`, lane, route);
    if (error === null) return;
    for (const endpoint of this.#attached) endpoint.malformed(error);
  }
}
