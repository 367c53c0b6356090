/** Launches that fail while they start, or since their server does: one line, exit code 1, and nothing is left. */
import { readFileSync, rmSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Launched, pidOf } from './remains.ts';
import { folder, prepareFolder } from './training.ts';

const onNodes = (runDir: string, ...more: string[]): Launched =>
  new Launched([
    ...['launch', 'tiny.yaml', '--run-dir', runDir],
    ...['--set', 'cluster.nodes=2', '--set', 'cluster.nats.url=auto', ...more],
  ]);

/** How it ended by itself, what it said, and what is left. */
async function endOf(launched: Launched) {
  const exitCode = await launched.ended;
  await launched.gone();
  return { exitCode, stderr: launched.stderr, files: launched.files };
}

/** The pid of a node as soon as it is started. */
async function started(runDir: string, node: string): Promise<number> {
  for (;;) {
    try {
      return pidOf(runDir, node);
    } catch {
      await turn();
    }
  }
}

beforeAll(() => prepareFolder());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a node that dies before it registers ends the launch', async () => {
  const launched = onNodes('early');
  process.kill(await started('early', 'node-1'), 'SIGKILL');
  expect(await endOf(launched)).toEqual({
    exitCode: 1,
    stderr: ['troupe: node-1: ended (SIGKILL) before the run began; launch it again'],
    files: [],
  });
});

test("the end of nats-server's guardian ends the run", async () => {
  const launched = onNodes('unguarded', '--steps', '500');
  await launched.said(/^step 10\//);
  const isGuardian = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('nats_guardian');
  process.kill(launched.processes.find(isGuardian) ?? 0, 'SIGKILL');
  expect(await endOf(launched)).toEqual({
    exitCode: 1,
    stderr: [
      'troupe: nats-server: its guardian ended (SIGKILL); what was checkpointed is safe, continue with --resume',
      'continue with: npx troupe launch --resume unguarded',
    ],
    files: [],
  });
});
