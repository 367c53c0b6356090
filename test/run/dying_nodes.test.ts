/** Runs that end in the middle, since a node dies while the launcher waits for its answer, or a record makes no sense. */
// @module-tag nats-server
import { afterAll, expect, it } from 'vitest';
import type { RunEvent } from '../../src/run/run_port.ts';
import { NatsConnection, NatsKvStore, NatsServer } from '../../src/runtime/cluster/nats.ts';
import { RunFolder } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

it.each<[string, (event: RunEvent) => boolean]>([
  ['is asked for a checkpoint', ({ kind }) => kind === 'ready'],
  ['is asked for the sample', (event) => event.kind === 'checkpoint' && event.step === 4],
])('a node that dies while it %s is named at once, and the other nodes end', async (_, isTime) => {
  const pids = new Map<string, number>();
  // Stopped before it is asked, it still owes its answer when it dies.
  const freezeAndKill = (pid: number): void => {
    process.kill(pid, 'SIGSTOP');
    setTimeout(() => process.kill(pid, 'SIGKILL'), 1000);
  };
  const played = folder.play(
    // Whoever waits for a lease of an hour to end has not heard of the death at once.
    { 'cluster.nodes': 2, 'cluster.nats.url': 'auto', 'recovery.lease_ms': 3_600_000 },
    {
      watch: (event) => {
        if (event.kind === 'node') pids.set(event.name, event.pid);
        if (isTime(event)) freezeAndKill(pids.get('node-1') ?? 0);
      },
    },
  );
  await expect(played).rejects.toMatchObject({ tag: 'NodeDied', node: 'node-1' });
  expect([...pids.values()].filter(isAlive)).toEqual([]);
});

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
