/** Output that nobody reads any more: the run goes on as if somebody did. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { existsSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dropUnread } from '../../src/cli/unread_output.ts';
import { at, checkpointsOf, curveOf, folder, main, prepareFolder } from './training.ts';

beforeAll(() => prepareFolder());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Launches, and closes both pipes after the first thing said, as `head -1` would; returns the exit code. */
async function launchUnread(...args: readonly string[]): Promise<unknown> {
  const launched = spawn(process.execPath, [main, 'launch', ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' },
  });
  const ended = once(launched, 'exit');
  await Promise.race([once(launched.stdout, 'data'), once(launched.stderr, 'data'), ended]);
  launched.stdout.destroy();
  launched.stderr.destroy();
  const [exitCode] = (await ended) as [number | null];
  return exitCode;
}

test('a run whose output nobody reads goes on to its end', async () => {
  expect(await launchUnread('tiny.yaml', '--run-dir', 'unread')).toBe(0);
  expect(curveOf('unread')).toHaveLength(12);
  expect(checkpointsOf('unread').at(-1)).toBe('step-000012.g1');
  expect(existsSync(at('unread', 'lock'))).toBe(false);
});

test('and so it does on nodes', async () => {
  const nodes = ['--set', 'cluster.nodes=2', '--set', 'cluster.nats.url=auto'];
  expect(await launchUnread('tiny.yaml', '--run-dir', 'unread-nodes', ...nodes)).toBe(0);
  expect(curveOf('unread-nodes')).toHaveLength(12);
});

test('a failure of which only the first line is read keeps its exit code', async () => {
  expect(await launchUnread('none.yaml', '--verbose')).toBe(2);
});

test('any other fault of a stream is thrown', () => {
  const stream = new PassThrough();
  dropUnread(stream);
  for (const code of ['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED']) {
    expect(() => stream.emit('error', Object.assign(new Error('unread'), { code }))).not.toThrow();
  }
  expect(() => stream.emit('error', Object.assign(new Error('full'), { code: 'ENOSPC' }))).toThrow('full');
});
