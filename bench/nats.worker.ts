/** The worker thread of a node in the NATS benchmark: a source and a sink, beyond the main thread's gateway. */

import { enterWorker } from '../src/runtime/cluster/index.ts';
import { createSink, feed, sinkProtocol, sourceProtocol } from './nats.protocol.ts';

await enterWorker(({ name, createSystem }) => {
  const system = createSystem();
  system.spawn(sinkProtocol, `${name}/sink`, createSink, { dataCapacity: 100_000 });
  system.spawn(sourceProtocol, `${name}/source`, (scope) => ({
    feed: ({ to, bytes, messages }: { to: string; bytes: number; messages: number }) =>
      feed(scope.ref(sinkProtocol, to), bytes, messages),
  }));
  return undefined;
});
