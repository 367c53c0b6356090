/** A revision of this repository, checked out beside the working tree with the packages that it needs. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const player = 'test/replay/player.ts';

/** Checks `revision` out below `.cache/replay`, where it stays for the next time; returns its folder. Throws what git says. */
export function checkOut(root: string, revision: string): string {
  const sha = git(root, 'rev-parse', '--verify', '--quiet', `${revision}^{commit}`);
  const folder = join(root, '.cache', 'replay', sha.slice(0, 12));
  if (!existsSync(folder)) {
    mkdirSync(join(folder, '..'), { recursive: true });
    git(root, 'worktree', 'prune');
    git(root, 'worktree', 'add', '--quiet', '--detach', folder, sha);
  }
  provide(root, folder);
  if (!existsSync(join(folder, player))) {
    for (const file of [player, 'test/replay/runs.ts'])
      cpSync(join(root, file), join(folder, file), { recursive: true });
  }
  return folder;
}

/** The packages of the working tree where both want the same ones, else their own. */
function provide(root: string, folder: string): void {
  if (existsSync(join(folder, 'node_modules'))) return;
  const lock = 'package-lock.json';
  if (readFileSync(join(root, lock), 'utf8') === readFileSync(join(folder, lock), 'utf8')) {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  } else {
    execFileSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 2, 2] });
  }
}

export function git(root: string, ...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}
