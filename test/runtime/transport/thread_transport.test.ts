import { afterEach, expect, test } from 'vitest';
import { digestOf, tensorOf } from './thread_actors.ts';
import { startThreads, type Threads } from './threads.ts';

const KIB = 1024;
const SIZES = [0, KIB, KIB * KIB];
const ONE_SLOT = [{ bytes: 4 * KIB, count: 1 }];

let threads: Threads | null = null;
const start = async (...args: Parameters<typeof startThreads>): Promise<Threads> => {
  threads = await startThreads(...args);
  return threads;
};
afterEach(async () => {
  await threads?.stop();
  threads = null;
});

const digests = (sizes: readonly number[]): string[] => sizes.map((bytes, seed) => digestOf(tensorOf(bytes, seed)));

test('tensors of 0 B, 1 KiB and 1 MiB arrive at a worker bit for bit, in order', async () => {
  const { sinks, leased } = await start(1);
  SIZES.forEach((bytes, seed) => sinks[1].tell.put({ x: tensorOf(bytes, seed) }));
  expect(await sinks[1].ask.seen()).toEqual(digests(SIZES));
  expect(await leased()).toBe(0);
});

test('a tensor that is asked for comes back bit for bit, whatever its size', async () => {
  const { sinks, leased } = await start(1);
  for (const bytes of SIZES) {
    const x = tensorOf(bytes, 7);
    const back = await sinks[1].ask.echo({ x });
    expect([back.shape, digestOf(back)]).toEqual([x.shape, digestOf(x)]);
  }
  expect(await leased()).toBe(0);
});

test('two workers feed each other and the main thread directly', async () => {
  const { sinks, hands, system, leased } = await start(2);
  const sizes = [64, ...SIZES];
  const before = system.counters.sent;
  const seen = await Promise.all([
    hands[0].ask.feed({ to: sinks[2], bytes: sizes }),
    hands[1].ask.feed({ to: sinks[1], bytes: sizes }),
  ]);
  expect(seen).toEqual([digests(sizes), digests(sizes)]);
  // Two asks of the test; nothing of what the workers told each other.
  expect(system.counters.sent - before).toBe(2);
  expect(await hands[0].ask.feed({ to: sinks[0], bytes: sizes })).toEqual(digests(sizes));
  expect(await leased()).toBe(0);
});

test('bytes to another thread and within the own count apart', async () => {
  const { sinks, system } = await start(1);
  expect(system.bytesSentBy()).toEqual({ local: system.counters.bytesSent, thread: 0 });
  const local = system.counters.bytesSent;
  sinks[1].tell.put({ x: tensorOf(KIB, 1) });
  await sinks[1].ask.seen();
  expect(system.bytesSentBy()).toEqual({ local, thread: system.counters.bytesSent - local });
  await sinks[0].ask.seen();
  expect(system.bytesSentBy().local).toBeGreaterThan(local);
});

test('small messages and tensors of one sender and lane stay in order', async () => {
  const { sinks } = await start(1);
  const expected: string[] = [];
  for (let n = 0; n < 100; n++) {
    // By turns a string and a slot pass through the channel.
    sinks[1].tell.mark({ n });
    sinks[1].tell.put({ x: tensorOf(64 * n, n) });
    expected.push(`mark ${n}`, digestOf(tensorOf(64 * n, n)));
  }
  expect(await sinks[1].ask.seen()).toEqual(expected);
});

test('control overtakes data that waits at a busy thread', async () => {
  const release = new Int32Array(new SharedArrayBuffer(16));
  const { sinks, hands } = await start(1, {}, { release: release.buffer });
  const hung = hands[0].ask.hang();
  for (const n of [1, 2]) sinks[1].tell.mark({ n });
  sinks[1].tell.note({ n: 3 });
  const seen = sinks[1].ask.seen();
  Atomics.store(release, 0, 1);
  await hung;
  expect(await seen).toEqual(['note 3', 'mark 1', 'mark 2']);
});

test('when slots run out messages pass through ordinary memory, in order, and are counted', async () => {
  const { sinks, host, leased } = await start(1, { slots: ONE_SLOT });
  const sizes = [256, 512, 1024, 2048];
  await sinks[1].ask.keep();
  sizes.forEach((bytes, seed) => sinks[1].tell.put({ x: tensorOf(bytes, seed) }));
  expect(await sinks[1].ask.seen()).toEqual(digests(sizes));
  expect([host.transport.pool.leased, host.transport.pool.overflows]).toEqual([4, 3]);
  await sinks[1].ask.letGo();
  expect([await leased(), host.transport.pool.overflowBytes]).toEqual([0, 0]);
});

test('when ordinary memory for messages runs out too, the sender is told by an error', async () => {
  const { sinks, host } = await start(1, { slots: ONE_SLOT, maxOverflowBytes: 4 * KIB });
  await sinks[1].ask.keep();
  const put = (seed: number): void => sinks[1].tell.put({ x: tensorOf(2 * KIB, seed) });
  put(0);
  put(1);
  expect(() => put(2)).toThrow(
    /^node-0: no slot for 2\d+ bytes while 0\.0 MiB of at most 0\.0 MiB overflow; send within credits/,
  );
  expect((await sinks[1].ask.seen()).length).toBe(2);
  await sinks[1].ask.letGo();
  put(3);
  expect((await sinks[1].ask.seen()).length).toBe(1);
  expect(host.transport.pool.overflows).toBe(1);
});

test('a message larger than the largest slot is an error at the sender that names sizes and option', async () => {
  const { sinks, leased } = await start(1, { slots: ONE_SLOT });
  const x = tensorOf(8 * KIB, 0);
  await expect(sinks[1].ask.echo({ x })).rejects.toMatchObject({ tag: 'MessageTooLarge', maxBytes: 4096 });
  expect(() => sinks[1].tell.put({ x })).toThrow(/^node-0: a frame of 8\d+ bytes is larger than .* of 4096; .*'slots'/);
  expect(await leased()).toBe(0);
});

test('actors that start later are found from every thread, and gone when they end', async () => {
  const { hands, sinks, system } = await start(2);
  const late = await hands[1].ask.start({ address: 'late/sink' });
  expect(await hands[0].ask.feed({ to: late, bytes: [64] })).toEqual(digests([64]));
  late.tell.mark({ n: 1 });
  expect(await late.ask.seen()).toEqual(['mark 1']);
  await hands[1].ask.end({ address: 'late/sink' });
  await expect(late.ask.seen()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  const nobody = { ...sinks[1], address: 'nobody/sink' };
  await expect(system.ref(sinks[1].protocol, nobody.address).ask.seen()).rejects.toMatchObject({ tag: 'NoSuchActor' });
});

test('an actor that is placed but not there is refused by the thread where it should be', async () => {
  const placement = new Map([['run/stage', 'node-0.worker-0']]);
  const { system, sinks, hands } = await start(1, { placement });
  const stage = system.ref(sinks[1].protocol, 'run/stage');
  const before = system.counters.bytesSent;
  await expect(stage.ask.seen()).rejects.toMatchObject({ tag: 'NoSuchActor' });
  expect(system.counters.bytesSent).toBeGreaterThan(before);
  await hands[0].ask.start({ address: 'run/stage' });
  expect(await stage.ask.seen()).toEqual([]);
});

test('what was sent in a gen that the receiving thread has left is dropped there', async () => {
  const { system, hands, sinks } = await start(1);
  await hands[0].ask.enter({ gen: 2 });
  sinks[1].tell.mark({ n: 1 });
  system.enter(2);
  sinks[1].tell.mark({ n: 2 });
  expect(await sinks[1].ask.seen()).toEqual(['mark 2']);
});

test('data of the parameter version that its receiver has is taken from another thread, older data is refused', async () => {
  const { hands, sinks } = await start(2);
  await hands[0].ask.version({ version: 2 });
  await sinks[2].ask.version({ version: 2 });
  expect(await hands[0].ask.feed({ to: sinks[2], bytes: [64] })).toEqual(digests([64]));
  await sinks[2].ask.version({ version: 3 });
  await expect(hands[0].ask.feed({ to: sinks[2], bytes: [64] })).rejects.toMatchObject({ tag: 'StaleParams' });
});

test('a fault plan in a worker drops what arrives there, and no slot stays leased', async () => {
  const { sinks, leased } = await start(1, {}, { dropPuts: 1 });
  for (const seed of [0, 1]) sinks[1].tell.put({ x: tensorOf(KIB, seed) });
  expect(await sinks[1].ask.seen()).toEqual([digestOf(tensorOf(KIB, 1))]);
  expect(await leased()).toBe(0);
});

test('10,000 tensors of many sizes pass in the memory of the slots alone', async () => {
  const { sinks, host, leased } = await start(1);
  const sizes = Array.from({ length: 97 }, (_, i) => 4 * Math.floor(2 ** (4 + (i * 12) / 96)));
  const tensors = sizes.map((bytes, seed) => tensorOf(bytes, seed));
  const expected = tensors.map(digestOf);
  const burst = async (from: number): Promise<string[]> => {
    for (let i = from; i < from + 20; i++) sinks[1].tell.put({ x: tensors[i % 97] });
    return sinks[1].ask.seen();
  };
  await burst(0);
  const before = process.memoryUsage();
  let wrong = 0;
  for (let n = 0; n < 10_000; n += 20) {
    (await burst(n)).forEach((digest, i) => (wrong += digest === expected[(n + i) % 97] ? 0 : 1));
  }
  const after = process.memoryUsage();
  expect([wrong, host.transport.pool.overflows, await leased()]).toEqual([0, 0, 0]);
  expect(after.rss - before.rss).toBeLessThan(64 * KIB * KIB);
});
