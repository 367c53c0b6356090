/** Actors that are ended from outside: after their message in hand, or at once; and are not started again. */
import { expect, it } from 'vitest';
import { actor, ask, createLocalSystem, defineProtocol, supervisor, tell } from '../../../src/runtime/index.ts';

const workerProtocol = defineProtocol('ending_worker', { work: ask(), note: tell() });

it('a supervisor that is ended ends all below it after what they have in hand, and another may take the address', async () => {
  const system = createLocalSystem({ name: 'ends' });
  const log: string[] = [];
  const busy = Promise.withResolvers<undefined>();
  const specs = (life: number) => [
    actor(workerProtocol, 'a/worker', () => ({
      work: async () => {
        log.push(`${life} begins`);
        await busy.promise;
        log.push(`${life} done`);
      },
      note: () => undefined,
      stopped: () => void log.push(`${life} stopped`),
    })),
  ];
  system.start(supervisor('a', { intensity: 0 }, specs(1)));
  const worked = system.ref(workerProtocol, 'a/worker').ask.work();
  await Promise.resolve();
  const ended = system.end('a');
  busy.resolve(undefined);
  await worked;
  await ended;
  expect(log).toEqual(['1 begins', '1 done', '1 stopped']);
  system.start(supervisor('a', { intensity: 0 }, specs(2)));
  await system.ref(workerProtocol, 'a/worker').ask.work();
  expect(log.slice(3)).toEqual(['2 begins', '2 done']);
  await system.stop();
});

it('an actor that is dismissed ends in the middle of a message: who asked hears so, and it is no failure', async () => {
  const failures: string[] = [];
  const records: string[] = [];
  const system = createLocalSystem({
    name: 'ends',
    supervision: { intensity: 0 },
    onFailure: (error) => failures.push(error),
    logSink: ({ text }) => records.push(text),
  });
  let asks: (() => Promise<unknown>) | null = null;
  system.spawn(workerProtocol, 'b', (scope) => ({
    work: () => new Promise(() => undefined),
    note: () => {
      asks = () => scope.ref(workerProtocol, 'b').ask.work();
    },
  }));
  system.ref(workerProtocol, 'b').tell.note();
  const worked = system.ref(workerProtocol, 'b').ask.work();
  await system.idle();
  system.dismiss('b');
  await expect(worked).rejects.toMatchObject({ tag: 'NoSuchActor' });
  // What its handler still does is ignored.
  await expect(asks!()).rejects.toMatchObject({ tag: 'SystemStopped' });
  system.spawn(workerProtocol, 'b', () => ({ work: () => undefined, note: () => undefined }));
  await system.ref(workerProtocol, 'b').ask.work();
  expect({ failures, records }).toEqual({ failures: [], records: [] });
  await system.stop();
});

it('ending somebody who is not there is nothing', async () => {
  const system = createLocalSystem({ name: 'ends' });
  await system.end('nobody');
  system.dismiss('nobody');
  await system.stop();
});
