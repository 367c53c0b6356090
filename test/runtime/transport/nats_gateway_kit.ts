/**
 * Nodes for tests of the gateway: real worker threads, each with a sink and an actor of hands, behind a main thread that
 * is joined to other nodes by NATS. Addresses are `@a`, `a/sink`, `@a.worker-0`, `a.worker-0/sink` and
 * `a.worker-0/hands`.
 */

import { startWorkers, type WorkerHost, type WorkerHostOptions } from '../../../src/runtime/cluster/index.ts';
import { NatsTransport, type NatsAddress } from '../../../src/runtime/cluster/nats.ts';
import { ActorSystem, SystemClock } from '../../../src/runtime/index.ts';
import { Sink, sinkProtocol } from './thread_actors.ts';

export const NODES = ['a', 'b'];

const threadsOf = (node: string): string[] => [node, `${node}.worker-0`];
const addressesOf = (node: string): string[] =>
  threadsOf(node).flatMap((thread) => [`@${thread}`, `${thread}/sink`, `${thread}/hands`]);

export interface GatewayNode {
  readonly host: WorkerHost;
  readonly transport: NatsTransport;
  /** Of the main thread. */
  readonly system: ActorSystem;
  readonly log: string[];
  close(): Promise<void>;
}

export async function openGatewayNode(
  server: NatsAddress,
  node: string,
  options: Partial<WorkerHostOptions> = {},
): Promise<GatewayNode> {
  const log: string[] = [];
  const logSink: WorkerHostOptions['logSink'] = ({ address, text }) => void log.push(`${address} ${text}`);
  const others = NODES.filter((name) => name !== node).flatMap(addressesOf);
  const host = startWorkers({
    name: node,
    entry: new URL('./thread_worker.ts', import.meta.url),
    workers: [{}],
    placement: new Map(others.map((address) => [address, node])),
    poison: true,
    onFailure: ({ message }) => void log.push(message),
    logSink,
    ...options,
  });
  const transport = await NatsTransport.open({
    server,
    cluster: 'gateway',
    runId: 'run-1',
    node,
    clock: new SystemClock(),
    near: host.transport,
    directory: (address) => /^@?([ab])[./]/.exec(`${address}/`)?.[1] ?? null,
    events: { broken: ({ message }) => void log.push(message), noResponders: () => undefined },
  });
  const system = new ActorSystem({ name: node, transport, logSink, askTimeoutMs: 30_000 });
  system.spawn(sinkProtocol, `${node}/sink`, () => new Sink());
  await host.ready();
  return {
    host,
    transport,
    system,
    log,
    async close() {
      await system.stop();
      await host.stop();
      await transport.close();
    },
  };
}
