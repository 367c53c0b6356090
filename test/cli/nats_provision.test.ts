/** What is done about a nats-server that is missing: every branch, with stand-ins for the programs. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { byHand, installing, provide, root } from './provided_nats.ts';
import { Stubs } from './stubs.ts';

const install = 'install --yes --no-install-recommends -o DPkg::Lock::Timeout=120 nats-server';
const update = 'update -o DPkg::Lock::Timeout=120 -o APT::Update::Error-Mode=any';

/** An apt-get whose install works once `$DIR/lists` is there, or always. */
const apt = (needsLists = false): string =>
  [
    `if [ "$1" = update ]; then : > "$DIR/lists"; fi`,
    `if [ "$1" = install ]; then`,
    ...(needsLists
      ? ['  if [ ! -e "$DIR/lists" ]; then echo "E: Unable to locate package nats-server" >&2; exit 100; fi']
      : []),
    `  echo "$DEBIAN_FRONTEND $LC_ALL" >> "$DIR/log"`,
    `  echo '#!/bin/sh' > "$DIR/nats-server"; /bin/chmod 755 "$DIR/nats-server"`,
    'fi',
  ].join('\n');
const user = 'echo 1000';

describe.skipIf(process.platform === 'win32')('nats-server', () => {
  test('that is there is left alone, in silence, and nothing is run', async () => {
    expect(await provide({ 'nats-server': '', 'apt-get': apt(), id: root })).toEqual({
      exitCode: 0,
      said: [],
      calls: [],
    });
  });

  test('is installed by root, without questions, where there is no systemd', async () => {
    expect(await provide({ 'apt-get': apt(), id: root })).toEqual({
      exitCode: 0,
      said: [installing],
      calls: ['apt-get --version', 'id -u', `apt-get ${install}`, 'noninteractive C'],
    });
  });

  test('is installed after the lists of packages, where those are not there yet', async () => {
    expect(await provide({ 'apt-get': apt(true), id: root })).toEqual({
      exitCode: 0,
      said: [installing],
      calls: [
        'apt-get --version',
        'id -u',
        `apt-get ${install}`,
        `apt-get ${update}`,
        `apt-get ${install}`,
        'noninteractive C',
      ],
    });
  });

  test.each(['running', 'degraded', 'starting'])('does not start by itself while systemd is %s', async (state) => {
    const systemctl = `if [ "$1" = is-system-running ]; then echo ${state}; [ ${state} = running ]; fi`;
    const { calls, ...rest } = await provide({ 'apt-get': apt(), id: root, systemctl });
    expect(rest).toEqual({ exitCode: 0, said: [installing] });
    expect(calls.slice(2)).toEqual([
      'systemctl is-system-running',
      'systemctl mask --runtime nats-server.service',
      `apt-get ${install}`,
      'noninteractive C',
      'systemctl unmask --runtime nats-server.service',
      'systemctl disable --now nats-server.service',
    ]);
  });

  test('does not start by itself when a container that it was installed in is booted', async () => {
    const systemctl = 'if [ "$1" = is-system-running ]; then echo offline; exit 1; fi';
    const { calls, ...rest } = await provide({ 'apt-get': apt(), id: root, systemctl });
    expect(rest).toEqual({ exitCode: 0, said: [installing] });
    expect(calls.slice(2)).toEqual([
      'systemctl is-system-running',
      `apt-get ${install}`,
      'noninteractive C',
      'systemctl disable nats-server.service',
    ]);
  });

  test('whose service cannot be switched off is reported, with the command', async () => {
    const systemctl = 'if [ "$1" = is-system-running ]; then echo running; fi\n[ "$1" != disable ]';
    const { exitCode, said } = await provide({ 'apt-get': apt(), id: root, systemctl });
    expect(exitCode).toBe(0);
    expect(said).toEqual([
      installing,
      'troupe: nats-server.service may listen at port 4222 for everybody; ' +
        "run 'systemctl disable --now nats-server.service'",
    ]);
  });

  test('is installed by a user whom sudo asks for nothing', async () => {
    const sudo = 'shift\n[ "$1" = true ] || exec "$@"';
    const systemctl = 'if [ "$1" = is-system-running ]; then echo running; fi';
    const { calls, ...rest } = await provide({ 'apt-get': apt(), id: user, sudo, systemctl });
    expect(rest).toEqual({ exitCode: 0, said: [installing] });
    expect(calls.filter((call) => call.startsWith('sudo '))).toEqual([
      'sudo -n true',
      'sudo -n systemctl mask --runtime nats-server.service',
      `sudo -n env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get ${install}`,
      'sudo -n systemctl unmask --runtime nats-server.service',
      'sudo -n systemctl disable --now nats-server.service',
    ]);
    expect(calls).toContain('noninteractive C');
  });

  test('is left to a user whom sudo asks for a password', async () => {
    expect(await provide({ 'apt-get': apt(), id: user, sudo: 'exit 1' })).toEqual({
      exitCode: 1,
      said: [`${byHand} (not done here: sudo asks for a password; 'sudo apt-get install nats-server' does too)`],
      calls: ['apt-get --version', 'id -u', 'sudo -n true'],
    });
  });

  test('is asked for, by the command that installs it, and is not installed against a no', async () => {
    const questions: string[] = [];
    const sudo = 'shift\n[ "$1" = true ] || exec "$@"';
    const provided = await provide(
      { 'apt-get': apt(), id: user, sudo },
      { answer: false, asked: (question) => questions.push(question) },
    );
    expect(provided).toEqual({
      exitCode: 1,
      said: [`${byHand} (not done, as you said)`],
      calls: ['apt-get --version', 'id -u', 'sudo -n true'],
    });
    expect(questions).toEqual([
      'troupe: nodes talk through nats-server, and there is none; ' +
        "install Debian's package, its service switched off ('sudo -n apt-get install nats-server')?",
    ]);
  });

  test('is not installed where nobody can be asked', async () => {
    expect(await provide({ 'apt-get': apt(), id: root }, { answer: null })).toEqual({
      exitCode: 1,
      said: [`${byHand} (not done here without being asked to; 'npm run provide' does it)`],
      calls: ['apt-get --version', 'id -u'],
    });
  });

  test('is left to a user who has no sudo', async () => {
    expect(await provide({ 'apt-get': apt(), id: user })).toEqual({
      exitCode: 1,
      said: [`${byHand} (not done here: it needs root, and there is no sudo)`],
      calls: ['apt-get --version', 'id -u'],
    });
  });

  test('cannot be installed without apt-get', async () => {
    const { exitCode, said, calls } = await provide({ id: root });
    expect([exitCode, calls]).toEqual([1, []]);
    expect(said).toEqual([
      `${byHand} (there is no apt-get here: take it from https://github.com/nats-io/nats-server/releases, into a folder of PATH)`,
    ]);
  });

  test.each<[NodeJS.Platform, string]>([
    ['darwin', 'brew install nats-server'],
    ['win32', 'choco install nats-server'],
  ])('is never installed on %s, whatever is there', async (platform, command) => {
    const { exitCode, said, calls } = await provide({ 'apt-get': apt(), id: root }, { platform });
    expect([exitCode, calls]).toEqual([1, []]);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`run '${command}', name a running server in cluster.nats.url, or train on one node`);
  });

  test('that apt-get put where nobody looks is reported, with the way there, and not advised to be installed', async () => {
    const { exitCode, said } = await provide({ 'apt-get': '', id: root });
    expect(exitCode).toBe(1);
    expect(said).toEqual([
      installing,
      'troupe: apt-get has installed nats-server, in none of the usual folders; ' +
        "put its folder on PATH ('dpkg -L nats-server' lists it)",
    ]);
  });
});

test('the script itself ends with 0 and says nothing where there is a nats-server', () => {
  using stubs = new Stubs({ 'nats-server': '' });
  const script = fileURLToPath(new URL('../../bin/provide_nats.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { PATH: stubs.folder },
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(existsSync(join(stubs.folder, 'log'))).toBe(true);
  expect(stubs.calls).toEqual([]);
});
