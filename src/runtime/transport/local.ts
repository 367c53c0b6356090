/**
 * The transport within one thread: encodes a message, decodes it at once, and hands it to the system where the actor
 * lives. Nothing works only because sender and receiver share memory. Several systems may share one, as nodes in a test.
 */

import type { Address } from '../system/address.ts';
import type { Envelope } from '../system/envelope.ts';
import { ActorSystem, type SystemOptions } from '../system/system.ts';
import type { Endpoint, Transport } from '../system/transport_port.ts';
import { Codec } from './codec.ts';
import { HeapFramePool, type FramePool } from './frame.ts';

export interface LocalTransportOptions {
  readonly pool?: FramePool;
  /** Send whole frames, routes and all, and trust none: what another process would see. For tests. */
  readonly wire?: boolean;
}

export class LocalTransport implements Transport {
  readonly pool: FramePool;
  readonly #wire: boolean;
  readonly #codec: Codec;
  readonly #directory = new Map<Address, Endpoint>();
  #bytes = 0;

  constructor({ pool = new HeapFramePool(), wire = false }: LocalTransportOptions = {}) {
    this.pool = pool;
    this.#wire = wire;
    this.#codec = new Codec(pool);
  }

  get leased(): number {
    return this.pool.leased;
  }

  get bytesSent(): Readonly<Record<string, number>> {
    return { local: this.#bytes };
  }

  attach(endpoint: Endpoint): void {
    this.#directory.set(endpoint.outside, endpoint);
  }

  detach(endpoint: Endpoint): void {
    this.#directory.delete(endpoint.outside);
  }

  register(address: Address, endpoint: Endpoint): void {
    this.#directory.set(address, endpoint);
  }

  unregister(address: Address, endpoint: Endpoint): void {
    if (this.#directory.get(address) === endpoint) this.#directory.delete(address);
  }

  /** Whether the address is known here. */
  hosts(address: Address): boolean {
    return this.#directory.has(address);
  }

  send(envelope: Envelope): number {
    const endpoint = this.#directory.get(envelope.route.to);
    if (endpoint === undefined) return 0;
    const encoded = this.#codec.encode(envelope, this.#wire);
    const { length } = encoded;
    this.#bytes += length;
    const delivery = this.#codec.decode(encoded, this.#wire ? null : envelope.route, endpoint, !this.#wire);
    endpoint.receive(delivery);
    return length;
  }
}

export type LocalSystemOptions = Omit<SystemOptions, 'transport'> & LocalTransportOptions;

/** A system whose actors all live on this thread; `pool` counts the frames in use. */
export function createLocalSystem({ pool, wire, ...options }: LocalSystemOptions = {}): ActorSystem {
  const transportOptions = { ...(pool === undefined ? {} : { pool }), ...(wire === undefined ? {} : { wire }) };
  return new ActorSystem({ ...options, transport: new LocalTransport(transportOptions) });
}
