/**
 * Runs on two nodes whose store is on a disk that becomes full: a small file system in memory, which only root may mount.
 * What the watch decides is tested with a twin; here is the real nats-server, which hangs.
 */
// @module-tag nats-server
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Launched } from './remains.ts';
import { at, checkpointsOf, folder, launch, manifestOf, prepareFolder } from './training.ts';

const long = ['--steps', '300', '--set', 'training.eval_interval=0', '--set', 'checkpoint.interval=100'];
const nodes = ['--set', 'cluster.nodes=2', '--set', 'cluster.nats.url=auto'];
const onNodes = (runDir: string, ...more: string[]): Launched =>
  new Launched(['launch', 'tiny.yaml', '--run-dir', runDir, ...nodes, ...more]);

const mounted: string[] = [];

function mount(path: string): boolean {
  mkdirSync(path, { recursive: true });
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path]).status === 0;
  if (isMounted) mounted.push(path);
  return isMounted;
}

const unmount = (): void => {
  for (const path of mounted.splice(0)) spawnSync('umount', ['-l', path]);
};

const canMount = process.platform === 'linux' && process.getuid?.() === 0 && mount(at('probe'));

/** Fills the disk that a folder is on. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  const bytes = Buffer.alloc(4_096);
  try {
    for (;;) writeSync(file, bytes);
  } catch {
    closeSync(file);
  }
}

/** A digest of all parameters at the end, among others. */
const bitsOf = (runDir: string) => manifestOf(runDir, checkpointsOf(runDir).at(-1) ?? '').extra;

/** A run that goes on from its first steps, with its store on a disk of its own, until that is full and has been noticed. */
async function stuck(runDir: string): Promise<Launched> {
  expect(await onNodes(runDir, ...long, '--steps', '4').ended).toBe(0);
  mount(at(runDir, 'nats'));
  const launched = onNodes(runDir, ...long, '--resume');
  await launched.said(/^step 10\//);
  fill(at(runDir, 'nats', 'filler'));
  await launched.said(/nats: the disk is full, so no step can be recorded; free space there: the run waits$/);
  return launched;
}

beforeAll(() => {
  unmount();
  prepareFolder();
});
afterEach(unmount);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(canMount)('a run whose store is on a disk that becomes full', () => {
  test('goes on when there is room again, to the same bits', { timeout: 300_000 }, async () => {
    launch('whole', ...long, '--steps', '4');
    launch('whole', ...long, '--resume');
    const launched = await stuck('full');
    rmSync(at('full', 'nats', 'filler'));
    expect(await launched.ended).toBe(0);
    expect(launched.stderr).toEqual([]);
    expect(launched.stdout).toContainEqual(expect.stringMatching(/nats: the store takes writes again$/));
    expect(bitsOf('full')).toEqual(bitsOf('whole'));
    await launched.gone();
  });

  test('hears the first interrupt, and says what to do', { timeout: 300_000 }, async () => {
    const launched = await stuck('interrupted');
    launched.process.kill('SIGINT');
    expect(await launched.ended).toBe(1);
    expect(launched.stderr[0]).toBe(
      `troupe: ${at('interrupted', 'nats')}: the disk is full, so no step can be recorded; free space there, then continue ` +
        'with --resume: what was checkpointed is safe',
    );
    await launched.gone();
    expect(launched.files).toEqual([]);
  });
});
