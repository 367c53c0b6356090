/**
 * The transport between nodes. What is for an actor of this node goes to a near transport; what is for another node is
 * encoded whole and sent over the links. Which node an address lives on is told from outside: placement is not decided
 * here. It is the gateway of the node's threads too: what they send to this thread for other nodes goes on over the
 * links, and what comes for their actors goes on to them.
 */

import type { Address } from '../system/address.ts';
import type { Delivery } from '../system/delivery.ts';
import type { Envelope } from '../system/envelope.ts';
import type { Addressed } from '../system/ref.ts';
import type { Endpoint, Transport } from '../system/transport_port.ts';
import { Codec, type Encoded } from './codec.ts';
import { HeapFramePool, piecesBytes, type ArrivalPool, type Frame } from './frame.ts';
import type { LinkCounters } from './link_counters.ts';
import { LocalTransport } from './local.ts';
import { NatsLinks, type LinkEvents, type NatsLinksOptions } from './nats_links.ts';

/** The node that hosts an address (`@system` addresses among them), or null if nobody does. */
export type NodeDirectory = (address: Address) => string | null;

export interface NatsTransportOptions extends Omit<NatsLinksOptions, 'pool' | 'events'> {
  readonly directory: NodeDirectory;
  readonly events: Omit<LinkEvents, 'frame'>;
  readonly pool?: ArrivalPool;
  /**
   * Carries messages within this node; default one for this thread. A thread transport has to place all addresses of other
   * nodes, `@system` ones too, on this thread.
   */
  readonly near?: Transport;
}

export class NatsTransport implements Transport {
  readonly pool: ArrivalPool;
  readonly poll?: () => void;
  readonly #node: string;
  readonly #directory: NodeDirectory;
  readonly #near: Transport;
  /** The near transport takes its frames from `pool`. */
  readonly #ownsNear: boolean;
  readonly #codec: Codec;
  readonly #endpoints = new Map<Address, Endpoint>();
  readonly #attached = new Set<Endpoint>();
  readonly #gateways = new Map<Endpoint, Endpoint>();
  readonly #arrivals: Endpoint;
  #links: NatsLinks | null = null;

  private constructor(options: NatsTransportOptions) {
    this.pool = options.pool ?? new HeapFramePool();
    this.#node = options.node;
    this.#directory = options.directory;
    this.#ownsNear = options.near === undefined;
    this.#near = options.near ?? new LocalTransport({ pool: this.pool });
    this.#codec = new Codec(this.pool);
    const { poll } = this.#near;
    if (poll !== undefined) this.poll = poll;
    this.#arrivals = {
      outside: '',
      receive: (delivery) => this.#deliver(delivery),
      malformed: () => undefined,
      lost: () => undefined,
      revive: (owner, address, protocol) => this.#revive(owner, address, protocol),
    };
  }

  /** Connects this node; throws what `NatsLinks.open` throws. */
  static async open(options: NatsTransportOptions): Promise<NatsTransport> {
    const transport = new NatsTransport(options);
    const { events, pool: _pool, near: _near, directory: _directory, ...links } = options;
    transport.#links = await NatsLinks.open({
      ...links,
      pool: transport.pool,
      events: { ...events, frame: (_from, _lane, frame, bytes) => transport.#receive(frame, bytes) },
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
    return this.pool.leased + (this.#ownsNear ? 0 : this.#near.leased);
  }

  attach(endpoint: Endpoint): void {
    this.#attached.add(endpoint);
    this.#endpoints.set(endpoint.outside, endpoint);
    const gateway = this.#gatewayOf(endpoint);
    this.#gateways.set(endpoint, gateway);
    this.#near.attach(gateway);
  }

  detach(endpoint: Endpoint): void {
    this.#attached.delete(endpoint);
    this.#endpoints.delete(endpoint.outside);
    this.#near.detach(this.#gateways.get(endpoint) ?? endpoint);
    this.#gateways.delete(endpoint);
  }

  register(address: Address, endpoint: Endpoint): void {
    this.#endpoints.set(address, endpoint);
    this.#near.register(address, endpoint);
  }

  unregister(address: Address, endpoint: Endpoint): void {
    if (this.#endpoints.get(address) === endpoint) this.#endpoints.delete(address);
    this.#near.unregister(address, endpoint);
  }

  /** Whatever the directory says, an actor that is registered here is here. */
  send(envelope: Envelope): number {
    const { to, lane } = envelope.route;
    const node = this.#endpoints.has(to) ? this.#node : this.#directory(to);
    if (node === null) return 0;
    if (node === this.#node) return this.#near.send(envelope);
    const frame = this.#codec.gather(envelope);
    this.links.send(node, lane, envelope.gen, frame);
    return piecesBytes(frame);
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

  #receive(frame: Frame, length: number): void {
    const encoded: Encoded = { bytes: frame.bytes, view: frame.view, length, frame };
    let delivery: Delivery;
    try {
      delivery = this.#codec.decode(encoded, null, this.#arrivals, false);
    } catch (error) {
      const problem = error instanceof Error ? error : new Error(String(error));
      for (const endpoint of this.#attached) endpoint.malformed(problem);
      return;
    }
    this.#arrivals.receive(delivery);
  }

  /** To the system where the actor lives, here or on another thread; if it has ended, to one that answers for it. */
  #deliver(delivery: Delivery): void {
    const { to } = delivery.route;
    if (!this.#endpoints.has(to) && this.#near.send(delivery) > 0) return delivery.lease?.release();
    const endpoint = this.#endpointOf(to);
    if (endpoint === null) delivery.lease?.release();
    else endpoint.receive(delivery);
  }

  /** Stands before `endpoint` and sends on what other threads have sent here for other nodes. */
  #gatewayOf(endpoint: Endpoint): Endpoint {
    return {
      outside: endpoint.outside,
      receive: (delivery) => {
        if (this.#isElsewhere(delivery.route.to) && this.send(delivery) > 0) delivery.lease?.release();
        else endpoint.receive(delivery);
      },
      malformed: (error) => endpoint.malformed(error),
      lost: (isLost) => endpoint.lost(isLost),
      revive: (owner, address, protocol) => endpoint.revive(owner, address, protocol),
    };
  }

  #isElsewhere(address: Address): boolean {
    if (this.#endpoints.has(address)) return false;
    const node = this.#directory(address);
    return node !== null && node !== this.#node;
  }

  #revive(owner: Address, address: Address, protocol: string): Addressed {
    const endpoint = this.#endpointOf(owner);
    if (endpoint === null) throw new RangeError(`${owner}: no system is attached; it has stopped`);
    return endpoint.revive(owner, address, protocol);
  }

  #endpointOf(address: Address): Endpoint | null {
    const [first = null] = this.#attached;
    return this.#endpoints.get(address) ?? first;
  }
}
