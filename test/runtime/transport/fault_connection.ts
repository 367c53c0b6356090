/**
 * A client's connection through a fault proxy: a socket to the client, a socket to the server, and a wire each way. A slow
 * reader slows its writer down, as without a proxy. While frozen no byte passes, and an end is no news either.
 */

import type { Socket } from 'node:net';
import { FaultWire, type FaultWireShared } from './fault_wire.ts';
import { clientName, withoutServers } from './nats_greeting.ts';
import { NatsParser, type NatsPiece } from './nats_parser.ts';
import type { Towards } from './wire_plan.ts';

export class FaultConnection {
  /** Resolves when both sockets have closed. */
  readonly ended: Promise<void>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #wires: readonly FaultWire[];
  /** What is to be done at the thaw; null while bytes pass. */
  #frozen: (() => void)[] | null = null;
  #name = '';

  constructor(client: Socket, server: Socket, shared: FaultWireShared) {
    this.#client = client;
    this.#server = server;
    this.#wires = [this.#join(client, server, 'server', shared), this.#join(server, client, 'client', shared)];
    const closed = [client, server].map(
      (socket) => new Promise<void>((resolve) => socket.on('close', () => resolve())),
    );
    this.ended = Promise.all(closed).then(() => undefined);
  }

  /** As the client calls itself; empty before it has. */
  get name(): string {
    return this.#name;
  }

  get isOpen(): boolean {
    return !this.#client.destroyed && !this.#server.destroyed;
  }

  freeze(): void {
    if (this.#frozen !== null) return;
    this.#frozen = [];
    this.#client.pause();
    this.#server.pause();
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    for (const act of waiting) act();
    this.#client.resume();
    this.#server.resume();
  }

  /** Ends both sides now; what was under way is lost. */
  cut(): void {
    for (const wire of this.#wires) wire.close();
    this.#client.destroy();
    this.#server.destroy();
  }

  #join(source: Socket, sink: Socket, towards: Towards, shared: FaultWireShared): FaultWire {
    const parser = new NatsParser();
    const write = (bytes: Buffer): void =>
      this.#unlessFrozen(() => {
        if (!sink.destroyed) sink.write(bytes);
      });
    const wire = new FaultWire({ ...shared, towards, write, cut: () => this.cut() });
    source.setNoDelay(true);
    source.on('data', (bytes) => {
      for (const piece of parser.push(bytes)) {
        if (sink.destroyed) return;
        wire.pass(this.#seen(piece));
      }
      if (sink.writableNeedDrain) source.pause();
    });
    sink.on('drain', () => {
      if (this.#frozen === null) source.resume();
    });
    source.on('error', () => source.destroy());
    source.on('close', () => {
      wire.close();
      this.#unlessFrozen(() => sink.end());
    });
    return wire;
  }

  #seen(piece: NatsPiece): NatsPiece {
    if (piece.verb === 'CONNECT') this.#name = clientName(piece);
    return piece.verb === 'INFO' ? { ...piece, bytes: withoutServers(piece) } : piece;
  }

  #unlessFrozen(act: () => void): void {
    if (this.#frozen === null) act();
    else this.#frozen.push(act);
  }
}
