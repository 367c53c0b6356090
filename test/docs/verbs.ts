/** The verbs of the command line and their options, as the command itself lists them to a shell. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './page.ts';

/** By verb, its options, sorted, but `--help`, which all have. */
export function verbs(): Map<string, string[]> {
  const program = [join(root, 'src/cli/main.ts'), 'completion', 'fish'];
  const { stdout } = spawnSync(process.execPath, program, {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const found = new Map<string, string[]>();
  for (const line of stdout.split('\n')) {
    const [, verb] = / __fish_use_subcommand -a (\S+)/.exec(line) ?? [];
    if (verb !== undefined) found.set(verb, []);
    const [, of, option] = /'__fish_seen_subcommand_from (\S+)' -l (\S+)/.exec(line) ?? [];
    if (option !== undefined && option !== 'help') found.get(of)?.push(`--${option}`);
  }
  for (const options of found.values()) options.sort();
  return found;
}
