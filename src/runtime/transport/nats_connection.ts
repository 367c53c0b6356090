/**
 * One connection to a NATS server, with what the client leaves open filled in: it reconnects for ever, says when it was
 * lost and when it is back, and refuses to take what it would lose. Known server errors become tagged ones.
 */

import {
  errors,
  NatsConnectionImpl,
  type Msg,
  type NatsConnection as NatsClient,
  type ProtocolHandler,
  type Status,
} from 'nats';
import type { Clock } from '../system/clock.ts';
import { NatsRefused, NatsTlsRefused, NatsUnreachable, PayloadTooSmall } from './link_errors.ts';
import { LEAST_PAYLOAD_BYTES } from './link_limits.ts';
import { tendParser } from './nats_reader.ts';
import { connectNats, TlsFault } from './nats_socket.ts';

/** Where the server is, and what opens it. */
export interface NatsAddress {
  /** `nats://` is plain text, `tls://` is TLS; no other scheme is spoken. */
  readonly url: string;
  readonly token?: string;
  /** Of a server that was started for the run: the file with what it says. */
  readonly log?: string;
}

/** What happens to a connection; each is called in order, never during `open`. */
export interface NatsHooks {
  /** It was lost: what was published since the last confirmed flush may be too. */
  readonly disconnected?: () => void;
  /** It is back; subscriptions are in force again. */
  readonly connected?: () => void;
  /** Messages to us were dropped, since we were slow; the server cuts the connection too. */
  readonly slowConsumer?: () => void;
  /** It will not come back, for instance because the token is refused now. */
  readonly closed?: (error: Error | null) => void;
}

/** How long a server that does not answer is asked. */
export interface Patience {
  readonly clock: Clock;
  readonly patienceMs: number;
  /** When aborted, it is asked no more. */
  readonly signal?: AbortSignal;
}

export interface NatsUse {
  /**
   * Whether the memory of a message is written over when its subscriber returns, so that reading makes no garbage; default:
   * false.
   */
  readonly lendsMessages?: boolean;
}

/** How long connecting, and a lost server, go unnoticed. */
const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MS = 100;
const PING_MS = 1_000;

export class NatsConnection {
  readonly client: NatsClient;
  readonly #protocol: ProtocolHandler;
  readonly url: string;
  readonly #lendsMessages: boolean;
  readonly #hooks: NatsHooks[] = [];
  #connected = true;
  #closing = false;

  private constructor(client: NatsClient, protocol: ProtocolHandler, url: string, lendsMessages: boolean) {
    this.client = client;
    this.#lendsMessages = lendsMessages;
    this.#protocol = protocol;
    this.url = url;
    this.#tendParser();
    void this.#follow();
  }

  /**
   * As `open`, but asks again for `patienceMs` while no server answers. Throws what `open` throws, and the signal's reason.
   */
  static async openPatiently(
    address: NatsAddress,
    name: string,
    { clock, patienceMs, signal, ...use }: Patience & NatsUse,
  ): Promise<NatsConnection> {
    const untilMs = clock.now() + patienceMs;
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await NatsConnection.open(address, name, use);
      } catch (error) {
        if (!(error instanceof NatsUnreachable) || clock.now() >= untilMs) throw error;
      }
      await new Promise<void>((resolve) => clock.after(RECONNECT_MS, resolve));
    }
  }

  /** Connects; throws `NatsUnreachable`, `NatsRefused`, `NatsTlsRefused`, `PayloadTooSmall`. `name` is what the server calls us. */
  static async open(
    { url, token, log }: NatsAddress,
    name: string,
    { lendsMessages = false }: NatsUse = {},
  ): Promise<NatsConnection> {
    const options = {
      name,
      lendsMessages,
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      reconnectJitter: 0,
      pingInterval: PING_MS,
      ...(token === undefined ? {} : { token }),
    };
    const client = await connectNats(url, options).catch((error: unknown) => {
      if (error instanceof errors.AuthorizationError) throw new NatsRefused(url, token !== undefined);
      const fault = tlsFaultOf(error);
      if (fault !== null) throw new NatsTlsRefused(url, fault.message, fault.remedy);
      throw new NatsUnreachable(url, error, log);
    });
    if (!(client instanceof NatsConnectionImpl))
      throw new RangeError('nats: not the client that is pinned; reinstall it');
    const maxPayloadBytes = client.info?.max_payload ?? 0;
    if (maxPayloadBytes >= LEAST_PAYLOAD_BYTES) return new NatsConnection(client, client.protocol, url, lendsMessages);
    await client.close();
    throw new PayloadTooSmall(url, maxPayloadBytes, LEAST_PAYLOAD_BYTES);
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  /** The longest message that the server takes. */
  get maxPayloadBytes(): number {
    return this.client.info?.max_payload ?? LEAST_PAYLOAD_BYTES;
  }

  watch(hooks: NatsHooks): void {
    this.#hooks.push(hooks);
  }

  /**
   * Hands `bytes` to the client, who may read them until the next flush is confirmed. False while disconnected: nothing
   * was taken. Where nobody listens, the server answers to `reply` with status 503.
   */
  publish(subject: string, bytes: Uint8Array, reply?: string): boolean {
    if (!this.#connected || this.client.isClosed()) return false;
    this.client.publish(subject, bytes, reply === undefined ? {} : { reply });
    return true;
  }

  /**
   * As `publish`, for a message that stands in memory as it goes over the wire: the client writes it from there. Worth its
   * system call for large ones; `publish` puts small ones together in one.
   */
  write(message: Buffer): boolean {
    const { outbound, transport, connected } = this.#protocol;
    // The client may be in the middle of a reconnect that has not been told yet.
    if (!this.#connected || !connected) return false;
    if (outbound.size() > 0) transport.send(outbound.drain());
    transport.send(message);
    return true;
  }

  /** Resolves true when the server has taken all that was published before, false if the connection was lost instead. */
  flush(): Promise<boolean> {
    return this.client.flush().then(
      () => true,
      () => false,
    );
  }

  subscribe(subject: string, receive: (message: Msg) => void): void {
    const callback = (error: Error | null, message: Msg): void => {
      try {
        if (error !== null) throw error;
        receive(message);
      } catch (problem) {
        // Thrown here it would end the client's reader without a word.
        queueMicrotask(() => {
          throw problem;
        });
      }
    };
    this.client.subscribe(subject, { callback });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#connected = false;
    await this.client.close();
  }

  /** A connection over which nonsense comes is given up, and the client connects anew. */
  #tendParser(): void {
    tendParser(this.#protocol.parser, this.#lendsMessages, () => {
      // Refused only by a client that closes already, and so drops the connection too.
      this.client.reconnect().catch(() => undefined);
    });
  }

  async #follow(): Promise<void> {
    const ended = this.client.closed();
    for await (const status of this.client.status()) this.#heard(status);
    const error = await ended;
    this.#lost();
    if (!this.#closing) this.#tell(({ closed }) => closed?.(error ?? null));
  }

  #heard(status: Status): void {
    if (this.#closing) return;
    if (status.type === 'disconnect') this.#lost();
    if (status.type === 'reconnect') {
      // The client has made a new one, and what comes before the flush is confirmed may be nonsense already.
      this.#tendParser();
      void this.#back();
    }
    if (status.type === 'slowConsumer' || (status.type === 'error' && /slow consumer/i.test(status.error.message)))
      this.#tell(({ slowConsumer }) => slowConsumer?.());
  }

  /** The server may still be about to read our subscriptions: a flush tells that it has. */
  async #back(): Promise<void> {
    if (!(await this.flush()) || this.#connected || this.#closing) return;
    this.#connected = true;
    this.#tell(({ connected }) => connected?.());
  }

  #lost(): void {
    if (!this.#connected || this.#closing) return;
    this.#connected = false;
    this.#tell(({ disconnected }) => disconnected?.());
  }

  #tell(call: (hooks: NatsHooks) => void): void {
    for (const hooks of this.#hooks) call(hooks);
  }
}

/** The client may wrap what its socket threw. */
function tlsFaultOf(error: unknown): TlsFault | null {
  if (error instanceof TlsFault) return error;
  return error instanceof Error && error.cause !== undefined ? tlsFaultOf(error.cause) : null;
}
