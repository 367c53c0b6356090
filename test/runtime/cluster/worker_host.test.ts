import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { WorkerFailed } from '../../../src/runtime/cluster/index.ts';
import { defineProtocol, tell, type Down } from '../../../src/runtime/index.ts';
import { VirtualClock } from '../../../src/runtime/testing/index.ts';
import { openThreads, startThreads, type Threads } from '../transport/threads.ts';
import { hangMs } from '../../hang.ts';

let threads: Threads | null = null;
const keep = (made: Threads): Threads => {
  threads = made;
  return made;
};
afterEach(async () => {
  await threads?.stop();
  threads = null;
});

test('workers that are told to stop end by themselves and leave nothing that keeps the process alive', () => {
  const script = fileURLToPath(new URL('./worker_stop.ts', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: hangMs });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '3 seen, 0 leased, 0 failures', stderr: '' });
});

test('a worker that stops waits for its actors, then cleans up', async () => {
  const words = new Int32Array(new SharedArrayBuffer(16));
  const { stop } = await startThreads(1, {}, { release: words.buffer });
  await stop();
  expect([...words]).toEqual([0, 0, 1, 2]);
});

test('a worker whose set-up throws is told by ready, with what it threw', async () => {
  const { host, failures } = keep(openThreads([{}, { setup: 'throws' }]));
  await expect(host.ready()).rejects.toMatchObject({
    tag: 'WorkerFailed',
    worker: 'node-0.worker-1',
    kind: 'threw',
    message: 'node-0.worker-1: threw: no such device; end this process and start it again',
  });
  expect(failures).toEqual([]);
});

test('a worker whose thread ends during set-up is told by ready', async () => {
  const { host } = keep(openThreads([{ setup: 'ends' }]));
  await expect(host.ready()).rejects.toMatchObject({ kind: 'ended', worker: 'node-0.worker-0' });
});

test('an entry module that is not there is told by ready', async () => {
  const entry = new URL('./missing.ts', import.meta.url);
  const { host } = keep(openThreads([{}], { entry }));
  await expect(host.ready()).rejects.toThrow(/^node-0\.worker-0: ended: Cannot find module/);
});

test('at the deadline for set-ups those that are missing are named', async () => {
  const clock = new VirtualClock();
  const release = new SharedArrayBuffer(16);
  const { host } = keep(openThreads([{ setup: 'waits', release }], { clock, readyTimeoutMs: 500 }));
  const ready = host.ready();
  const failed = Promise.all([
    expect(ready).rejects.toMatchObject({ tag: 'WorkersMissing', missing: ['node-0.worker-0'] }),
    expect(ready).rejects.toThrow(/^node-0: not ready after 500 ms: node-0\.worker-0; see what holds their set-up/),
  ]);
  await clock.advance(500);
  await failed;
  Atomics.store(new Int32Array(release), 0, 1);
  Atomics.notify(new Int32Array(release), 0);
});

test('a worker that throws is reported once, with its last log lines and messages, and is lost to all', async () => {
  const reported = Promise.withResolvers<WorkerFailed>();
  const made = keep(await startThreads(2, { onFailure: reported.resolve }));
  const { hands, sinks, log } = made;
  const lost = watchFor(made, 'node-0.worker-0/sink');
  await sinks[1].ask.seen();
  hands[0].tell.crash({ message: 'a bug' });
  const failure = await reported.promise;
  expect([failure.worker, failure.kind]).toEqual(['node-0.worker-0', 'threw']);
  expect(failure.message).toMatch(
    /^node-0\.worker-0: threw: a bug, last message 'crash' at node-0\.worker-0\/hands; end this process/,
  );
  expect(failure.log.map((line) => line.split('\n')[0])).toEqual([
    'warn node-0.worker-0/hands about to crash',
    'error node-0.worker-0 Error: a bug',
  ]);
  expect(failure.flight.slice(-2).map(({ message }) => message)).toEqual(['seen', 'crash']);
  expect(log.map(({ text }) => text)).toEqual(['about to crash']);
  expect(await lost).toEqual({ address: 'node-0.worker-0/sink', reason: 'gone', error: null });
  await expect(sinks[1].ask.seen()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  // The other worker does not find it either, and goes on.
  await expect(hands[1].ask.feed({ to: sinks[1], bytes: [] })).rejects.toMatchObject({ tag: 'NoSuchActor' });
  expect(await sinks[2].ask.seen()).toEqual([]);
});

test('a worker that fails by what is outside of its actors is reported, with what it said', async () => {
  const reported = Promise.withResolvers<WorkerFailed>();
  const release = new Int32Array(new SharedArrayBuffer(16));
  const options = { onFailure: reported.resolve };
  keep(await startThreads(1, options, { setup: 'fails', release: release.buffer }));
  Atomics.store(release, 0, 1);
  Atomics.notify(release, 0);
  expect((await reported.promise).message).toBe(
    'node-0.worker-0: threw: device lost; end this process and start it again',
  );
});

test('a worker that spins is found to hang: its asks are refused, and what it did last is known', async () => {
  const clock = new VirtualClock();
  const release = new Int32Array(new SharedArrayBuffer(16));
  const options = { clock, pingMs: 1_000, hangMs: 10_000 };
  const { hands, failures } = keep(await startThreads(1, options, { release: release.buffer }));
  const refused = expect(hands[0].ask.hang()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  await spinning(release);
  await clock.advance(20_000);
  await refused;
  expect(failures.map(({ worker, kind }) => ({ worker, kind }))).toEqual([{ worker: 'node-0.worker-0', kind: 'hung' }]);
  const [{ log, flight, message }] = failures;
  expect(log).toEqual(['warn node-0.worker-0/hands about to spin']);
  expect(flight.at(-1)).toMatchObject({ address: 'node-0.worker-0/hands', message: 'hang' });
  expect(message).toMatch(/^node-0\.worker-0: hung: no answer to 1\d pings in 1\d000 ms, last message 'hang' at /);
  Atomics.store(release, 0, 1);
});

test('a worker that does not stop in time is named, and reported as hung', async () => {
  const clock = new VirtualClock();
  const release = new Int32Array(new SharedArrayBuffer(16));
  const options = { clock, stopTimeoutMs: 3_000 };
  const { hands, failures, host, system } = await startThreads(1, options, { release: release.buffer });
  const asked = hands[0].ask.hang().catch(() => undefined);
  await spinning(release);
  await system.stop();
  await asked;
  const failed = expect(host.stop()).rejects.toMatchObject({ tag: 'WorkersMissing', missing: ['node-0.worker-0'] });
  await clock.advance(3_000);
  await failed;
  expect(failures.map(({ message }) => message)).toEqual([
    "node-0.worker-0: hung: has not stopped in 3000 ms, last message 'hang' at node-0.worker-0/hands; end this process and start it again",
  ]);
  Atomics.store(release, 0, 1);
  await host.stop();
});

test('a worker without memory says so, with the size of its heap and what to do', async () => {
  const resourceLimits = { maxOldGenerationSizeMb: 32 };
  const reported = Promise.withResolvers<string>();
  const onFailure = ({ kind, message }: WorkerFailed) => reported.resolve(`${kind}: ${message}`);
  const { hands } = keep(await startThreads(1, { resourceLimits, onFailure }));
  hands[0].tell.hoard();
  expect(await reported.promise).toBe(
    "out of memory: node-0.worker-0: out of memory: its JavaScript heap of 32 MiB is full, last message 'hoard' at node-0.worker-0/hands; " +
      'make the model or the microbatch smaller, or divide it among more workers',
  );
});

test('a worker that throws since memory was refused says that, too', async () => {
  const reported = Promise.withResolvers<WorkerFailed>();
  const { hands } = keep(await startThreads(1, { onFailure: reported.resolve }));
  hands[0].tell.crash({ message: 'WebAssembly.Memory(): could not allocate memory' });
  expect((await reported.promise).message).toMatch(
    /^node-0\.worker-0: out of memory: WebAssembly\.Memory\(\): could not allocate memory, .*; make the model or the microbatch smaller, or/,
  );
});

const lookoutProtocol = defineProtocol('worker-lookout', { start: tell() });

/** The end of the actor at `address`, as an actor of the main thread is told. */
function watchFor({ system }: Threads, address: string): Promise<Down> {
  return new Promise((resolve) => {
    const lookout = system.spawn(lookoutProtocol, 'node-0/lookout', (scope) => ({
      start: () => scope.watch({ address }),
      down: (event: Down) => resolve(event),
    }));
    lookout.tell.start();
  });
}

/** Resolves when the worker spins, which it says in the second word. */
async function spinning(words: Int32Array): Promise<void> {
  const wait = Atomics.waitAsync(words, 1, 0);
  await wait.value;
}
