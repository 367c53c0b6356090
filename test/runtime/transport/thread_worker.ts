/** The entry module of the workers in tests: a sink, and an actor that does what a test asks of its thread. */

import { z } from 'zod';
import { enterWorker } from '../../../src/runtime/cluster/index.ts';
import type { ActorScope, ActorSystem } from '../../../src/runtime/index.ts';
import { FaultPlan } from '../../../src/runtime/testing/index.ts';
import { Sink, sinkProtocol, tensorOf, workerProtocol } from './thread_actors.ts';

const dataSchema = z.object({
  /** What the set-up does. */
  setup: z.enum(['plain', 'throws', 'waits', 'ends', 'fails']).default('plain'),
  /** Words: set by the test to end a wait, or for a failure; set by the worker when it has begun to spin, and when an actor has stopped. */
  release: z.instanceof(SharedArrayBuffer).optional(),
  dropPuts: z.number().default(0),
});

await enterWorker(async ({ name, createSystem, data, transport, fail }) => {
  const { setup, release, dropPuts } = dataSchema.parse(data ?? {});
  if (setup === 'throws') throw new Error('no such device');
  if (setup === 'ends') process.exit(7);
  const words = new Int32Array(release ?? new SharedArrayBuffer(16));
  if (setup === 'waits') await Atomics.waitAsync(words, 0, 0).value;
  if (setup === 'fails')
    void Promise.resolve(Atomics.waitAsync(words, 0, 0).value).then(() => fail(new Error('device lost')));
  const filter = new FaultPlan(1, [{ message: 'put', times: dropPuts, fault: { kind: 'drop' } }]);
  const system = createSystem({ validate: 'always', filter });
  system.spawn(sinkProtocol, `${name}/sink`, () => new Sink());
  system.spawn(workerProtocol, `${name}/hands`, (scope) => hands(system, scope, words, () => transport.leased));
  // Counted from what the actor has left there.
  return () => void (words[3] = words[2] + 1);
});

function hands(system: ActorSystem, scope: ActorScope, words: Int32Array, leased: () => number) {
  const started = new Map<string, () => void>();
  return {
    async feed({ to, bytes }: { to: { address: string }; bytes: number[] }) {
      const sink = scope.ref(sinkProtocol, to.address);
      bytes.forEach((size, i) => sink.tell.put({ x: tensorOf(size, i) }));
      return sink.ask.seen();
    },
    start({ address }: { address: string }) {
      return system.spawn(
        sinkProtocol,
        address,
        (own) => {
          started.set(address, () => own.stop());
          return new Sink();
        },
        { restart: 'temporary' },
      );
    },
    end: ({ address }: { address: string }) => started.get(address)?.(),
    hang: () => {
      scope.log.warn('about to spin');
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
      while (Atomics.load(words, 0) === 0);
    },
    hoard: () => {
      // Small objects: memory that runs out within a built-in function would end the whole process.
      const hoard: object[] = [];
      for (;;) hoard.push({ n: hoard.length });
    },
    crash: ({ message }: { message: string }) => {
      scope.log.warn('about to crash');
      setImmediate(() => {
        throw new Error(message);
      });
    },
    enter: ({ gen }: { gen: number }) => system.enter(gen),
    version: ({ version }: { version: number }) => scope.setParamsVersion(version),
    leased,
    async stopped() {
      await new Promise((resolve) => setImmediate(resolve));
      words[2] = 1;
    },
  };
}
