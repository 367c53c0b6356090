/** What is said where apt-get cannot install a nats-server. */
import { describe, expect, test } from 'vitest';
import { byHand, installing, provide, root } from './provided_nats.ts';

describe.skipIf(process.platform === 'win32')('when apt-get fails, its own words are passed on', () => {
  const fails = (...errors: string[]): string => [...errors.map((line) => `echo "${line}" >&2`), 'exit 100'].join('\n');
  const unknown = 'E: Unable to locate package nats-server';

  test.each<[string, string, string]>([
    ['no candidate', `if [ "$1" = update ]; then exit 0; fi\n${fails(unknown)}`, unknown],
    [
      'no network and no lists',
      `if [ "$1" = update ]; then ${fails('E: Failed to fetch http://x/InRelease  Temporary failure resolving x', 'E: Some index files failed to download.')}; fi\n${fails(unknown)}`,
      'E: Failed to fetch http://x/InRelease Temporary failure resolving x',
    ],
    [
      'no network and old lists',
      fails('E: Failed to fetch http://x/nats.deb  Connection failed', 'E: Unable to fetch some archives'),
      'E: Failed to fetch http://x/nats.deb Connection failed',
    ],
    ['a lock', fails('E: Could not get lock', 'E: Is another process using it?'), 'E: Is another process using it?'],
    ['without a word', 'exit 100', 'apt-get ended without saying why'],
  ])('%s', async (_what, script, reason) => {
    const { exitCode, said, calls } = await provide({
      'apt-get': `[ "$1" = --version ] && exit 0\n${script}`,
      id: root,
      systemctl: 'if [ "$1" = is-system-running ]; then echo running; fi',
    });
    expect(exitCode).toBe(1);
    expect(said).toEqual([installing, `${byHand} (apt-get failed: ${reason})`]);
    expect(calls.at(-1)).toBe('systemctl unmask --runtime nats-server.service');
  });
});
