/** A revision of this repository, checked out beside the working tree with the packages that it needs. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What plays: a revision that has none of its own gets the working tree's. */
const players = ['test/replay/player.ts', 'test/replay/runs.ts'];

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
  for (const file of players) {
    const isItsOwn = git(root, 'ls-tree', '--name-only', sha, '--', file) !== '';
    if (!isItsOwn) cpSync(join(root, file), join(folder, file), { recursive: true });
  }
  return folder;
}

/** The packages of the working tree where both want the same ones, else their own. */
function provide(root: string, folder: string): void {
  const [wanted, ours] = [folder, root].map((tree) => readFileSync(join(tree, 'package-lock.json'), 'utf8'));
  const modules = join(folder, 'node_modules');
  const found = lstatSync(modules, { throwIfNoEntry: false });
  const isLink = found?.isSymbolicLink() ?? false;
  if (wanted === ours) {
    if (found === undefined) symlinkSync(join(root, 'node_modules'), modules, 'junction');
    if (found === undefined || isLink) return;
  } else if (isLink) {
    // The working tree has wanted the same once.
    unlinkSync(modules);
  }
  // npm writes it last: what is there without it is half an installation.
  if (existsSync(join(modules, '.package-lock.json'))) return;
  execFileSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 2, 2] });
}

export function git(root: string, ...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}
