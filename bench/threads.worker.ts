/** The other thread of the bench of threads, ours: an actor that reads what it is sent and answers. */

import { enterWorker } from '../src/runtime/cluster/index.ts';
import type { TensorPayload } from '../src/runtime/index.ts';
import { benchProtocol } from './threads.protocol.ts';

await enterWorker(({ createSystem }) => {
  let sum = 0;
  createSystem().spawn(benchProtocol, 'bench/far', () => ({
    put: ({ x }: { x: TensorPayload }) => {
      sum += x.data[0];
    },
    drained: () => {
      const drained = sum;
      sum = 0;
      return drained;
    },
    ping: ({ n }: { n: number }) => n,
  }));
  return undefined;
});
