/**
 * A network that fails on purpose: a TCP proxy between nodes and a NATS server. Nodes are given its address as the
 * server's. It does to single messages what its plan says, and to connections what it is told: cut, paused, refused. It
 * counts what it did.
 */

import { once } from 'node:events';
import { connect as dial, createServer, type Server, type Socket } from 'node:net';
import { connect, type NatsConnection as NatsClient } from 'nats';
import type { NatsAddress } from '../../../src/runtime/transport/nats_connection.ts';
import { FaultConnection } from './fault_connection.ts';
import { FaultCounter } from './fault_counter.ts';
import type { FaultWireShared } from './fault_wire.ts';
import { WirePlan } from './wire_plan.ts';

const LOOPBACK = '127.0.0.1';

export class FaultProxy {
  /** For nodes, in place of the server's. */
  readonly address: NatsAddress;
  readonly counter = new FaultCounter();
  /** May be replaced at any time; what the old one holds back comes when its time has come. */
  plan: WirePlan;
  readonly #server: NatsAddress;
  readonly #listener: Server;
  readonly #connections = new Set<FaultConnection>();
  /** Came during a pause. */
  #waiting: Socket[] = [];
  #isPaused = false;
  #isRefusing = false;
  #timer: NodeJS.Timeout | undefined;
  #stranger: Promise<NatsClient> | null = null;

  private constructor(server: NatsAddress, plan: WirePlan, listener: Server, port: number) {
    this.address = { ...server, url: `nats://${LOOPBACK}:${port}` };
    this.plan = plan;
    this.#server = server;
    this.#listener = listener;
    listener.on('connection', (client) => this.#came(client));
  }

  /** Listens at any free port of loopback, before the NATS server at `server`. */
  static async open(server: NatsAddress, plan = new WirePlan(0, [])): Promise<FaultProxy> {
    const listener = createServer({ pauseOnConnect: true });
    listener.listen(0, LOOPBACK);
    await once(listener, 'listening');
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new RangeError('fault proxy: listens at no port');
    return new FaultProxy(server, plan, listener, address.port);
  }

  /** How the clients that are connected call themselves. */
  get clients(): readonly string[] {
    return this.#open().map(({ name }) => name);
  }

  /** Ends the connections of clients so named, default all, now; returns how many. Clients come back by themselves. */
  cut(name = /(?:)/): number {
    const cut = this.#open().filter((connection) => name.test(connection.name));
    for (const connection of cut) connection.cut();
    this.counter.add('cut', cut.length);
    return cut.length;
  }

  /** No byte passes, and nobody notices, for `ms` or until `resume`. */
  pause(ms = Infinity): void {
    this.counter.add('freeze');
    this.#freeze(ms);
  }

  resume(): void {
    clearTimeout(this.#timer);
    this.#isPaused = false;
    for (const connection of this.#connections) connection.thaw();
    for (const client of this.#waiting.splice(0)) this.#join(client);
  }

  /** Closes new connections at once, until `accept`. */
  refuse(): void {
    this.#isRefusing = true;
  }

  accept(): void {
    this.#isRefusing = false;
  }

  /** Publishes bytes as a client that is no node; resolves when the server has taken them. The plan applies to them. */
  async inject(subject: string, ...payloads: readonly Uint8Array[]): Promise<void> {
    const { url: servers, token = '' } = this.#server;
    this.#stranger ??= connect({ servers, token, name: 'stranger', maxReconnectAttempts: -1, reconnectTimeWait: 20 });
    const stranger = await this.#stranger;
    for (const payload of payloads) stranger.publish(subject, payload);
    await stranger.flush();
    this.counter.add('inject', payloads.length);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    for (const client of this.#waiting.splice(0)) client.destroy();
    for (const connection of this.#connections) connection.cut();
    await Promise.all([closed, ...[...this.#connections].map(({ ended }) => ended)]);
    await (await this.#stranger)?.close();
  }

  #open(): FaultConnection[] {
    return [...this.#connections].filter(({ isOpen }) => isOpen);
  }

  #came(client: Socket): void {
    client.on('error', () => client.destroy());
    if (this.#isRefusing) {
      this.counter.add('refuse');
      client.destroy();
    } else if (this.#isPaused) this.#waiting.push(client);
    else this.#join(client);
  }

  #join(client: Socket): void {
    if (client.destroyed) return;
    const { hostname, port } = new URL(this.#server.url);
    const shared: FaultWireShared = {
      counter: this.counter,
      plan: () => this.plan,
      freeze: (ms) => this.#freeze(ms),
    };
    const server = dial(Number(port), hostname);
    const connection = new FaultConnection(client, server, shared);
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
    client.resume();
  }

  #freeze(ms: number): void {
    clearTimeout(this.#timer);
    this.#isPaused = true;
    for (const connection of this.#connections) connection.freeze();
    if (ms < Infinity) this.#timer = setTimeout(() => this.resume(), ms);
  }
}
