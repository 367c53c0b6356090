/** A run and the process that started it: whose end is the run's too, and whose is not. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { watchedParent, watchParent } from '../../src/cli/parent.ts';
import { Launched } from './remains.ts';
import { at, checkpointsOf, curveOf, folder, main, manifestOf, prepareFolder } from './training.ts';

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** A shell that waits for the command, as npm's does. */
const shell = ['/bin/sh', '-c', '"$0" "$@"; exit $?', process.execPath, main];
/** The command on an older Node, which starts the clone's own. */
const older = [process.execPath, '--import', pathOf('./older_node.ts'), pathOf('../../bin/troupe.js')];

const npm = { npm_lifecycle_event: 'npx', npm_execpath: '/usr/bin/npm' };
const noNpm = { npm_lifecycle_event: undefined, npm_execpath: undefined };

describe('the parent', () => {
  test.each<[string, NodeJS.ProcessEnv, number | null]>([
    ['a shell of npm is watched', npm, 7],
    ['a shell of a user is not', {}, null],
    ['nor is anything under nohup', { ...npm, _: '/usr/bin/nohup' }, null],
    ['the process that started the own Node is, in any case', { TROUPE_OUTER_PID: '9', _: 'nohup' }, 9],
  ])('%s', (_what, env, watched) => {
    expect(watchedParent(env, 7)).toBe(watched);
  });

  describe('that is watched', () => {
    beforeEach(() => vi.useFakeTimers());
    afterEach(() => vi.useRealTimers());

    test('is missed once, within a second, and not after the run', () => {
      let parentPid = 7;
      const log: string[] = [];
      {
        using _watch = watchParent({ watched: 7, parentPid: () => parentPid, onGone: () => log.push('gone') });
        vi.advanceTimersByTime(10_000);
        expect(log).toEqual([]);
        parentPid = 1;
        vi.advanceTimersByTime(1000);
        expect(log).toEqual(['gone']);
        vi.advanceTimersByTime(10_000);
      }
      expect([log, vi.getTimerCount()]).toEqual([['gone'], 0]);
    });
  });
});

describe.skipIf(process.platform === 'win32')('a run', () => {
  beforeAll(() => prepareFolder());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const endless = ['--steps', '1000000', '--set', 'training.eval_interval=0', '--set', 'checkpoint.interval=1000000'];
  const start = (runDir: string, command: readonly string[], env: object): Launched =>
    new Launched(['launch', 'tiny.yaml', '--run-dir', runDir, ...endless], { ...noNpm, ...env }, command);

  /** That it ended as by Ctrl-C: a checkpoint of the last step, no lock, no process, no file. */
  async function expectCheckpoint(launched: Launched, runDir: string): Promise<void> {
    await launched.gone();
    const [newest = ''] = checkpointsOf(runDir).slice(-1);
    expect(manifestOf(runDir, newest).step).toBe(curveOf(runDir).length);
    expect(readFileSync(at(runDir, 'events.jsonl'), 'utf8').trimEnd().split('\n').at(-1)).toContain('"interrupted"');
    expect([existsSync(at(runDir, 'lock')), launched.files]).toEqual([false, []]);
  }

  test.each(['SIGTERM', 'SIGKILL'] as const)("ends by a checkpoint when npm's shell dies of %s", async (signal) => {
    const launched = start(`npm-${signal}`, shell, npm);
    await launched.said(/^step 10\//);
    launched.process.kill(signal);
    expect(await launched.ended).toBe(signal);
    await expectCheckpoint(launched, `npm-${signal}`);
  });

  test('goes on when the shell of a user ends', async () => {
    const launched = start('disowned', shell, {});
    await launched.said(/^step 10\//);
    launched.process.kill('SIGKILL');
    // Longer than it takes to miss a parent.
    await pause(2500);
    const [launcher, ...others] = launched.processes;
    expect(others).toEqual([]);
    process.kill(launcher, 'SIGTERM');
    await expectCheckpoint(launched, 'disowned');
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)(
    "on a clone's own Node hears of %s",
    async (signal) => {
      const launched = start(`older-${signal}`, older, {});
      await launched.said(/^step 10\//);
      launched.process.kill(signal);
      expect(await launched.ended).toBe(130);
      // No debugger listens, for one.
      expect(launched.stderr).toEqual([]);
      await expectCheckpoint(launched, `older-${signal}`);
    },
  );

  test("on a clone's own Node ends by a checkpoint when the outer one is killed", async () => {
    const launched = start('older-killed', older, {});
    await launched.said(/^step 10\//);
    launched.process.kill('SIGKILL');
    expect(await launched.ended).toBe('SIGKILL');
    await expectCheckpoint(launched, 'older-killed');
  });

  test("on a clone's own Node ends by a checkpoint when npm's shell dies", async () => {
    const [, ...command] = shell.slice(0, 3);
    const launched = start('older-npm', ['/bin/sh', ...command, ...older], npm);
    await launched.said(/^step 10\//);
    launched.process.kill('SIGTERM');
    expect(await launched.ended).toBe('SIGTERM');
    await expectCheckpoint(launched, 'older-npm');
  });
});
