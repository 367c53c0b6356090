/** A node of the NATS benchmark: a main thread with a sink, and one worker thread with a sink and a source. */

import { startWorkers } from '../src/runtime/cluster/index.ts';
import { NatsTransport, type NatsAddress } from '../src/runtime/cluster/nats.ts';
import { ActorSystem, SystemClock } from '../src/runtime/index.ts';
import { createSink, sinkProtocol } from './nats.protocol.ts';

const NODES = ['main', 'peer'];

/** Room for all that a source has under way, so that nothing passes through ordinary memory. */
const SLOTS = [
  { bytes: 2 ** 12, count: 64 },
  { bytes: 2 ** 17, count: 320 },
  { bytes: 2 ** 20, count: 48 },
];

/** Addresses are `@node`, `@node.worker-0`, `node/sink`, `node.worker-0/sink` and `node.worker-0/source`. */
const nodeOf = (address: string): string | null => /^@?(main|peer)[./]?/.exec(address)?.[1] ?? null;

const addressesOf = (node: string): string[] =>
  [node, `${node}.worker-0`].flatMap((thread) => [`@${thread}`, `${thread}/sink`, `${thread}/source`]);

export interface BenchNode {
  readonly system: ActorSystem;
  close(): Promise<void>;
}

export async function openNode(server: NatsAddress, node: string): Promise<BenchNode> {
  const fail = (error: Error): never => {
    throw error;
  };
  const others = NODES.filter((name) => name !== node).flatMap(addressesOf);
  const host = startWorkers({
    name: node,
    entry: new URL('./nats.worker.ts', import.meta.url),
    workers: [{}],
    slots: SLOTS,
    placement: new Map(others.map((address) => [address, node])),
    onFailure: fail,
  });
  const transport = await NatsTransport.open({
    server,
    cluster: 'bench',
    node,
    runId: 'bench',
    clock: new SystemClock(),
    near: host.transport,
    directory: nodeOf,
    events: { broken: fail, noResponders: () => undefined },
  });
  const system = new ActorSystem({ name: node, transport });
  system.spawn(sinkProtocol, `${node}/sink`, createSink, { dataCapacity: 100_000 });
  await host.ready();
  return {
    system,
    async close() {
      await system.stop();
      await host.stop();
      await transport.close();
    },
  };
}
