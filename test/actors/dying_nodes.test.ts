/** A node that dies while the launcher waits for its answer: the run says so at once, and nothing is left of it. */
import { afterAll, expect, it } from 'vitest';
import type { RunEvent } from '../../src/actors/run_port.ts';
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
  let killedMs = Infinity;
  // Stopped before it is asked, it still owes its answer when it dies.
  const freezeAndKill = (pid: number): void => {
    process.kill(pid, 'SIGSTOP');
    setTimeout(() => {
      process.kill(pid, 'SIGKILL');
      killedMs = performance.now();
    }, 1000);
  };
  const played = folder.play(
    { 'cluster.nodes': 2, 'cluster.nats.url': 'auto' },
    {
      watch: (event) => {
        if (event.kind === 'node') pids.set(event.name, event.pid);
        if (isTime(event)) freezeAndKill(pids.get('node-1') ?? 0);
      },
    },
  );
  await expect(played).rejects.toMatchObject({ tag: 'NodeDied', node: 'node-1' });
  expect(performance.now() - killedMs).toBeLessThan(5000);
  expect([...pids.values()].filter(isAlive)).toEqual([]);
});
