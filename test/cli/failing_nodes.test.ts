/** Launches that fail while they start, or since their server does: one line, exit code 1, and nothing is left. */
// @module-tag nats-server
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Launched, pidOf } from './remains.ts';
import { at, folder, prepareFolder } from './training.ts';

const onNodes = (runDir: string, ...more: string[]): Launched => new Launched(argumentsOf(runDir, ...more));

const argumentsOf = (runDir: string, ...more: string[]): string[] => [
  ...['launch', 'tiny.yaml', '--run-dir', runDir],
  ...['--set', 'cluster.nodes=2', '--set', 'cluster.nats.url=auto', ...more],
];

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

/** A folder with a nats-server that writes its name to `said` and never listens. */
function silentServer(): { readonly said: string; readonly PATH: string } {
  const bin = at('bin');
  mkdirSync(bin, { recursive: true });
  const said = at('bin', 'said');
  rmSync(said, { force: true });
  writeFileSync(at('bin', 'nats-server'), `#!/bin/sh\necho here > ${said}\nsleep 600\n`, { mode: 0o755 });
  return { said, PATH: [bin, process.env.PATH].join(delimiter) };
}

test('a nats-server that never listens ends the launch after cluster.wait, by its log', async () => {
  const { PATH } = silentServer();
  const launched = new Launched(argumentsOf('silent', '--set', 'cluster.wait=1'), { PATH });
  expect(await endOf(launched)).toEqual({
    exitCode: 1,
    stderr: [
      `troupe: ${at('bin', 'nats-server')}: started, and does not listen after 1 s; ` +
        `see ${at('silent', 'nats', 'nats-server.log')}, and whether the disk of ${at('silent', 'nats')} answers`,
    ],
    files: [],
  });
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s while nats-server starts ends the launch with 130', async (signal) => {
  const { said, PATH } = silentServer();
  const launched = new Launched(argumentsOf(`waiting-${signal}`), { PATH });
  while (!existsSync(said)) await turn();
  launched.process.kill(signal);
  expect(await endOf(launched)).toEqual({ exitCode: 130, stderr: [], files: [] });
});

test('an interrupt while nodes start ends the launch with 130, and leaves no lock', async () => {
  const launched = onNodes('starting');
  await started('starting', 'node-1');
  launched.process.kill('SIGINT');
  expect(await endOf(launched)).toEqual({ exitCode: 130, stderr: [], files: [] });
  expect(readdirSync(at('starting'))).not.toContain('lock');
});
