/** What npm says in a clone, before and beside the command. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('npx troupe prints what the command prints, and no warning of npm', () => {
  const npm = { npm_config_offline: 'true', npm_config_update_notifier: 'false', npm_config_loglevel: undefined };
  const { stdout, stderr, status } = spawnSync('npx', ['troupe', '--version'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...npm, NO_COLOR: '1', NODE_OPTIONS: '' },
    shell: process.platform === 'win32',
  });
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect({ stdout, stderr, status }).toEqual({ stdout: `${version}\n`, stderr: '', status: 0 });
});
