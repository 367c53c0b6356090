/** A run that ends in the middle, since a record of its cluster makes no sense. */
// @module-tag nats-server
import { afterAll, expect, it } from 'vitest';
import { NatsConnection, NatsKvStore, NatsServer } from '../../src/runtime/cluster/nats.ts';
import { RunFolder } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

it('a registration that no version of ours wrote, met in the middle of a run, ends it by its key', async () => {
  const server = await NatsServer.start();
  process.env.TROUPE_NATS_TOKEN = server.address.token ?? '';
  const connection = await NatsConnection.open(server.address, 'test');
  const damage = async (): Promise<void> => {
    const store = await NatsKvStore.open(connection, 'small');
    await store.createOrGet('node.stray', '{"node":1}');
  };
  const settings = {
    'cluster.nodes': 2,
    'cluster.nats.url': server.address.url,
    'recovery.lease_ms': 2000,
    'training.steps': 100_000,
  };
  const played = folder.play(settings, { watch: (event) => void (event.kind === 'ready' && damage()) });
  await expect(played).rejects.toThrow(/^key node\.stray: no member \(/);
  delete process.env.TROUPE_NATS_TOKEN;
  await connection.close();
  await server.close();
});
