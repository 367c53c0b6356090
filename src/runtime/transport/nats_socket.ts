/**
 * The client's socket, with what the client leaves open. It is closed also where the client forgets it: one to a server
 * that accepts and does not greet would keep the process alive. And the address says whether TLS is spoken: `tls://` never
 * falls back to plain text, `nats://` never meets a server that wants TLS without a word. Where messages are lent, all reads
 * go to the same memory.
 */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  NatsConnectionImpl,
  setTransportFactory,
  type ConnectionOptions,
  type NatsConnection,
  type ServerInfo,
  type TlsOptions,
} from 'nats';
import { NodeTransport, nodeResolveHost } from 'nats/lib/node_transport.js';
import { codeOf } from '../../system_error.ts';
import { ReadMemory } from './nats_memory.ts';

/** Client and server do not agree on TLS; nothing secret was sent. `NatsConnection.open` makes it a `NatsTlsRefused`, with the address. */
export class TlsFault extends Error {
  override readonly name = 'TlsFault';
  readonly remedy: string;
  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

/** The end of the way that TLS needs, refused by this side: what OpenSSL and Node call certificates and handshakes. */
const CERTIFICATE = /CERT|SSL|TLS|EPROTO|UNABLE_TO|HOSTNAME/;

export interface SocketOptions extends ConnectionOptions {
  /** Whether memory of messages is written over as soon as they have been handed out, as far as the socket lets that be. */
  readonly lendsMessages: boolean;
}

class NatsSocket extends NodeTransport {
  /** Null where each read has memory of its own: TLS takes what it decrypts. */
  #memory: ReadMemory | null = null;

  override connect(server: Parameters<NodeTransport['connect']>[0], options: SocketOptions): Promise<void> {
    if (options.lendsMessages && options.tls === null) this.#memory = new ReadMemory();
    return super.connect(server, options);
  }

  override async dial(server: Parameters<NodeTransport['dial']>[0]): Promise<Socket> {
    const memory = this.#memory;
    if (memory === null) return await super.dial(server);
    const callback = (bytes: number, read: Uint8Array): boolean => {
      socket.emit('data', read.subarray(0, bytes));
      return true;
    };
    const { hostname: host, port } = server;
    const socket = createConnection({ host, port, noDelay: true, onread: { buffer: memory.take, callback } });
    await once(socket, 'connect');
    return socket;
  }

  override async *iterate(): AsyncIterableIterator<Uint8Array> {
    for await (const read of super.iterate()) {
      yield read;
      this.#memory?.giveBack(read);
    }
  }

  override async peekInfo(): Promise<ServerInfo> {
    const info = await super.peekInfo();
    // The client would take any JSON, and print a stack. It becomes the detail of a `NatsUnreachable`.
    if (!/^\d+\.\d+\.\d+/.test(info.version ?? '')) throw new RangeError('what listens there is no NATS server');
    const { tls_required: isRequired = false, tls_available: isAvailable = false } = info;
    if (this.options.tls === null && isRequired)
      throw new TlsFault('the NATS server wants TLS', 'write tls:// in cluster.nats.url');
    if (this.options.tls !== null && !isRequired && !isAvailable)
      throw new TlsFault(
        'the NATS server speaks no TLS, and was told nothing',
        'give it a certificate, or write nats:// in cluster.nats.url if the way to it is safe',
      );
    return info;
  }

  override async startTLS(): Promise<TLSSocket> {
    try {
      return await super.startTLS();
    } catch (error) {
      if (!(error instanceof Error) || !CERTIFICATE.test(codeOf(error))) throw error;
      throw new TlsFault(
        `the certificate of the NATS server is refused (${codeOf(error)})`,
        'correct it, or name the file of your own authority in NODE_EXTRA_CA_CERTS',
      );
    }
  }

  override close(error?: Error): Promise<void> {
    if (!this.connected) this.discard();
    return super.close(error);
  }
}

/** The client's `connect`, over such sockets, with or without TLS as `url` says. */
export async function connectNats(url: string, options: SocketOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new NatsSocket(), dnsResolveFn: nodeResolveHost });
  return await NatsConnectionImpl.connect({ ...options, servers: url, tls: tlsOf(url) });
}

/** The certificate has to name the host of the address; the client by itself would compare numbers with `localhost`. */
function tlsOf(url: string): (TlsOptions & { readonly host: string }) | null {
  if (!url.startsWith('tls://')) return null;
  return { host: new URL(url).hostname.replaceAll(/[[\]]/g, '') };
}
