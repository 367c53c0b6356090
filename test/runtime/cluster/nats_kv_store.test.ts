// @module-tag nats-server
import { once } from 'node:events';
import { errors } from 'nats';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { KvStore } from '../../../src/runtime/cluster/kv_store.ts';
import { MemoryKvStore } from '../../../src/runtime/cluster/memory_kv_store.ts';
import { NatsKvStore } from '../../../src/runtime/cluster/nats_kv_store.ts';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { NatsConnection } from '../../../src/runtime/transport/nats_connection.ts';

let server: NatsServer;
let connection: NatsConnection;
let returned = new EventTarget();
let clusters = 0;

beforeAll(async () => {
  server = await NatsServer.start({ onNews: ({ kind }) => returned.dispatchEvent(new Event(kind)) });
  connection = await NatsConnection.open(server.address, 'test');
});

afterAll(async () => {
  await connection.close();
  await server.close();
});

const stores: readonly (readonly [string, () => Promise<KvStore>])[] = [
  ['in memory', () => Promise.resolve(new MemoryKvStore())],
  ['in JetStream', () => NatsKvStore.open(connection, `demo-${clusters++}`)],
];

describe.each(stores)('a key-value store %s', (_name, open) => {
  test('keeps what was written first, and says so to whoever comes later', async () => {
    const store = await open();
    const [first, second] = [
      await store.createOrGet('decision.1', 'commit'),
      await store.createOrGet('decision.1', 'skip'),
    ];
    expect([first.value, second.value, second.revision]).toEqual(['commit', 'commit', first.revision]);
    expect(await store.find('decision.1')).toEqual({ key: 'decision.1', value: 'commit', revision: first.revision });
    expect(await store.find('decision.2')).toBeNull();
  });

  test('of twenty writers at once exactly one succeeds', async () => {
    const store = await open();
    const values = Array.from({ length: 20 }, (_, i) => `writer ${i}`);
    const entries = await Promise.all(values.map((value) => store.createOrGet('k', value)));
    expect(new Set(entries.map(({ value }) => value)).size).toBe(1);
    const { revision } = entries[0];
    const replaced = await Promise.all(values.map((value) => store.replace('k', `${value} again`, revision)));
    expect(replaced.filter((entry) => entry !== null)).toHaveLength(1);
  });

  test('replaces and removes only the revision that is named', async () => {
    const store = await open();
    const { revision } = await store.createOrGet('k', 'a');
    const next = await store.replace('k', 'b', revision);
    expect([next?.value, await store.replace('k', 'c', revision)]).toEqual(['b', null]);
    expect([await store.remove('k', revision), await store.remove('k', next?.revision ?? 0)]).toEqual([false, true]);
    expect(await store.find('k')).toBeNull();
    expect(await store.createOrGet('k', 'd')).toMatchObject({ value: 'd' });
  });

  test('lists one level of keys, sorted, without what was removed', async () => {
    const store = await open();
    for (const key of ['node.b', 'node.a', 'node.c', 'node.a.deep', 'other.x', 'node'])
      await store.createOrGet(key, key);
    await store.remove('node.c', (await store.find('node.c'))?.revision ?? 0);
    expect((await store.list('node')).map(({ key }) => key)).toEqual(['node.a', 'node.b']);
    expect(await store.list('nobody')).toEqual([]);
    // Whether it still has a name for what was removed is the store's affair.
    expect((await store.keys('node')).filter((key) => key !== 'node.c')).toEqual(['node.a', 'node.b']);
    expect(await store.keys('nobody')).toEqual([]);
  });
});

test('a kill of the server loses no acknowledged write', async () => {
  const store = await NatsKvStore.open(connection, 'durable');
  const written = await Promise.all(
    Array.from({ length: 50 }, (_, i) => store.createOrGet(`decision.${i}`, `commit ${i}`)),
  );
  returned = new EventTarget();
  const isBack = Promise.all([
    once(returned, 'ready'),
    new Promise<void>((resolve) => connection.watch({ connected: () => resolve() })),
  ]);
  process.kill(server.pid, 'SIGKILL');
  await isBack;
  expect(await Promise.all(written.map(({ key }) => store.find(key)))).toEqual(written);
  const next = await store.createOrGet('decision.50', 'commit 50');
  expect(next.revision).toBeGreaterThan(written[49].revision);
});

/** Another client makes the same bucket between our look and our wish, so that the server refuses ours; then all is as ever. */
function overtake(): Disposable {
  const { client } = connection;
  const request = client.request.bind(client);
  return vi.spyOn(client, 'request').mockImplementation(async (subject, payload, options) => {
    const answer = await request(subject, payload, options);
    if (!subject.startsWith('$JS.API.STREAM.CREATE.')) return answer;
    const config = JSON.parse(Buffer.from(payload ?? '').toString()) as { name: string };
    return request(`${subject}_late`, JSON.stringify({ ...config, name: `${config.name}_late` }), options);
  });
}

test('a bucket that another makes at the same moment is taken', async () => {
  using _overtaken = overtake();
  const store = await NatsKvStore.open(connection, 'shared');
  expect(await store.createOrGet('k', 'a')).toMatchObject({ key: 'k', value: 'a' });
});

test('a bucket whose subjects are those of a foreign stream is refused', async () => {
  const subjects = ['$KV.troupe_foreign.>'];
  await connection.client.request('$JS.API.STREAM.CREATE.foreign', JSON.stringify({ name: 'foreign', subjects }));
  const refused = expect(NatsKvStore.open(connection, 'foreign')).rejects;
  await refused.toThrow(/^bucket troupe_foreign at nats:.+: subjects overlap with an existing stream; /);
});

test('a bucket is asked for again by a server that is slow to answer', async () => {
  const { client } = connection;
  using request = vi.spyOn(client, 'request');
  for (let i = 0; i < 3; i += 1) request.mockRejectedValueOnce(new errors.TimeoutError());
  const store = await NatsKvStore.open(connection, 'slow');
  expect(await store.find('k')).toBeNull();
});

test('a bucket that was removed is not taken for a server that is away', async () => {
  const store = await NatsKvStore.open(connection, 'removed');
  const { revision } = await store.createOrGet('k', 'a');
  await connection.client.request('$JS.API.STREAM.DELETE.KV_troupe_removed', '');
  const gone = { tag: 'KvBucketGone', message: expect.stringMatching(/^bucket troupe_removed: it is gone/) as string };
  const calls = [
    store.find('k'),
    store.createOrGet('k', 'b'),
    store.replace('k', 'b', revision),
    store.keys('node'),
    store.list('node'),
  ];
  await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(gone)));
});
