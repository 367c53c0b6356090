/** The players of two trees, which play the same runs at the same time, each in a process of its own. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Played } from './player.ts';
import type { ReplayRun } from './runs.ts';

export interface Asked {
  /** Whether to write the programs that they generate, too. */
  readonly programs: boolean;
  readonly runs: readonly ReplayRun[];
}

/**
 * Has both trees play the runs, in `before` and `after` of `folder`. Both have ended when it returns or throws, so that the
 * folder may go: it throws where a player did not play all of them.
 */
export async function playBoth(
  trees: { readonly before: string; readonly after: string },
  folder: string,
  asked: Asked,
): Promise<{ before: Played[]; after: Played[] }> {
  const [before, after] = await Promise.allSettled([
    playAll(trees.before, join(folder, 'before'), asked),
    playAll(trees.after, join(folder, 'after'), asked),
  ]);
  if (before.status === 'rejected') throw before.reason;
  if (after.status === 'rejected') throw after.reason;
  return { before: before.value, after: after.value };
}

/** Has the player of `tree` play the runs in `folder`; it may end only when all have been played. */
function playAll(tree: string, folder: string, { runs, programs }: Asked): Promise<Played[]> {
  mkdirSync(join(folder, 'programs'), { recursive: true });
  const env = {
    ...process.env,
    // Mesa's driver for the processor takes minutes to optimise shaders that run for microseconds.
    GALLIVM_PERF: process.env.GALLIVM_PERF ?? 'nopt',
    ...(programs ? { TROUPE_DUMP: join(folder, 'programs') } : {}),
  };
  const child = spawn(process.execPath, [join(tree, 'test/replay/player.ts'), folder], {
    cwd: tree,
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  // One that ends before it reads is told of by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(runs));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code !== 0) reject(new Error(`the player of ${tree} ended with ${signal ?? code}`));
      else resolve(runs.map(({ name }) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Played));
    });
  });
}
