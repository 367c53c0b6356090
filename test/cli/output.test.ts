/** Output that nobody reads any more, or that cannot be written: the run goes on as if all were well. */
import { spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Output } from '../../src/cli/output.ts';
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

test('and so it does on nodes', { tags: ['nats-server'] }, async () => {
  const nodes = ['--set', 'cluster.nodes=2', '--set', 'cluster.nats.url=auto'];
  expect(await launchUnread('tiny.yaml', '--run-dir', 'unread-nodes', ...nodes)).toBe(0);
  expect(curveOf('unread-nodes')).toHaveLength(12);
});

test('a failure of which only the first line is read keeps its exit code', async () => {
  expect(await launchUnread('none.yaml', '--verbose')).toBe(2);
});

/** Runs a command with an output that takes nothing; what it says on standard error, and its exit code. */
function withFullDisk(args: readonly string[]): { stderr: string; exitCode: number | null } {
  const full = openSync('/dev/full', 'w');
  const { stderr, status } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', full, 'pipe'],
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' },
  });
  closeSync(full);
  return { stderr, exitCode: status };
}

const lost = /^troupe: standard output: (1 line was|\d+ lines were) lost \(ENOSPC\); free space on that disk\n$/;

describe.skipIf(!existsSync('/dev/full'))('on a full disk', () => {
  test.each([
    ['--version'],
    ['--help'],
    ['plan', 'tiny.yaml'],
    ['plan', 'tiny.yaml', '--json'],
    ['launch', 'tiny.yaml', '--dry-run'],
    ['generate', '--checkpoint', 'unread', '--prompt', 'a', '--max-tokens', '2'],
    ['completion', 'bash'],
    ['doctor'],
  ])('a command for nothing but its output fails, and says so: %s', (...args) => {
    const { stderr, exitCode } = withFullDisk(args);
    expect([stderr, exitCode]).toEqual([expect.stringMatching(lost), 1]);
  });

  test('a run is trained to its end, and says how much of its output is lost', () => {
    const { stderr, exitCode } = withFullDisk(['launch', 'tiny.yaml', '--run-dir', 'full']);
    expect([stderr, exitCode]).toEqual([expect.stringMatching(lost), 0]);
    expect(curveOf('full')).toEqual(curveOf('unread'));
    expect(existsSync(at('full', 'lock'))).toBe(false);
  });

  test('a topology file is written all the same', () => {
    expect(withFullDisk(['init', 'mine.yaml', '--data', 'texts/*.txt'])).toMatchObject({ exitCode: 0 });
    expect(existsSync(at('mine.yaml'))).toBe(true);
  });

  test('a failure keeps its exit code where its line is lost', () => {
    const full = openSync('/dev/full', 'w');
    const { status } = spawnSync(process.execPath, [main, 'plan', 'none.yaml'], {
      cwd: folder,
      stdio: ['ignore', full, full],
    });
    closeSync(full);
    expect(status).toBe(2);
  });
});

test.skipIf(process.platform === 'win32')(
  'past the size that a file may have, output is lost as on a full disk',
  () => {
    const { stderr, status } = spawnSync(
      '/bin/sh',
      ['-c', 'ulimit -f 0; exec "$0" "$@" > out.txt', process.execPath, main, '--help'],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    expect([stderr, status]).toEqual([expect.stringMatching(/ lines were lost \(EFBIG\); /), 1]);
  },
);

describe('an output', () => {
  /** A stream of which each write fails with a code, as standard output does: it says so to the writer, then to all. */
  function failing(code: string) {
    const stream = new EventEmitter();
    const error = Object.assign(new Error('failed'), { code });
    const write = (_text: string, taken: (error: Error) => void): void => {
      taken(error);
      stream.emit('error', error);
    };
    return { stream, error, output: new Output(Object.assign(stream, { write }), 'a stream') };
  }

  test.each(['ENOSPC', 'EDQUOT', 'EFBIG', 'EAGAIN', 'ENOBUFS', 'EIO'])(
    'that fails with %s throws nothing, and counts the lines that it lost',
    async (code) => {
      const { output } = failing(code);
      output.print('one');
      await output.settled();
      output.write('two\nthree\n');
      await output.settled();
      expect(output.lost).toEqual({ lines: 3, code });
      expect(output.lossLine).toMatch(`a stream: 3 lines were lost (${code}); `);
    },
  );

  test.each(['EPIPE', 'ERR_STREAM_DESTROYED'])('that nobody reads (%s) has lost nothing', async (code) => {
    const { output } = failing(code);
    output.print('one');
    await output.settled();
    expect([output.lost, output.lossLine]).toEqual([null, null]);
  });

  test('counts what others write to its stream, too', () => {
    const { output, stream, error } = failing('ENOSPC');
    stream.emit('error', error);
    expect(output.lossLine).toBe('a stream: 1 line was lost (ENOSPC); free space on that disk');
  });
});
