/**
 * The client's socket, closed also where the client forgets it: it gives up on a server that accepts and does not greet,
 * but leaves that socket open, which then keeps the process alive.
 */
import { NatsConnectionImpl, setTransportFactory, type ConnectionOptions, type NatsConnection } from 'nats';
import { NodeTransport, nodeResolveHost } from 'nats/lib/node_transport.js';

class NatsSocket extends NodeTransport {
  override close(error?: Error): Promise<void> {
    if (!this.connected) this.discard();
    return super.close(error);
  }
}

/** The client's `connect`, over such sockets. */
export function connectNats(options: ConnectionOptions): Promise<NatsConnection> {
  setTransportFactory({ factory: () => new NatsSocket(), dnsResolveFn: nodeResolveHost });
  return NatsConnectionImpl.connect(options);
}
