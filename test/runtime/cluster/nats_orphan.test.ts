// @module-tag nats-server
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endOrphan, recordFileOf } from '../../../src/runtime/cluster/nats_orphan.ts';
import { findNatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { isServing } from '../../../src/runtime/cluster/nats_server_process.ts';

let folder: string;
let storeDir: string;
let workDir: string;
let orphan: ChildProcess;

/** A nats-server whose launcher and guardian are gone, and what they have left. */
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'troupe-left-'));
  storeDir = path.join(folder, 'nats');
  workDir = path.join(folder, 'troupe-nats-abcdef');
  for (const made of [storeDir, workDir]) mkdirSync(made);
  const config = path.join(workDir, 'nats.conf');
  writeFileSync(config, 'host: "127.0.0.1"\nport: -1\nauthorization { token: "secret" }\n');
  orphan = spawn(findNatsServer(), ['-c', config], { stdio: 'ignore', detached: true });
  record(orphan.pid ?? 0);
});
afterEach(() => {
  orphan.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function record(pid: number, config = path.join(workDir, 'nats.conf')): void {
  writeFileSync(recordFileOf(storeDir), JSON.stringify({ pid, config, storeDir }));
}

const isAlive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

test('a server that was left behind is ended by whoever has its store next, and its token is removed', async () => {
  const ended = once(orphan, 'exit');
  expect(await endOrphan(storeDir)).toBe(orphan.pid);
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect([existsSync(workDir), existsSync(recordFileOf(storeDir))]).toEqual([false, false]);
  expect(await endOrphan(storeDir)).toBeNull();
});

test('a process that was given the number of a server that has ended is left alone', async () => {
  record(process.pid);
  expect(await endOrphan(storeDir)).toBeNull();
  expect([existsSync(workDir), isAlive(orphan)]).toEqual([false, true]);
});

test('a server that does not end holds the launch, and what tells of it is kept', async () => {
  // Of no group of its own, it does not hear what is sent to that.
  const config = path.join(workDir, 'nats.conf');
  const deaf = spawn(findNatsServer(), ['-c', config], { stdio: 'ignore' });
  await once(deaf, 'spawn');
  record(deaf.pid ?? 0);
  await expect(endOrphan(storeDir, 0)).rejects.toThrow(
    `nats-server: process ${deaf.pid} (${config}) was left behind and cannot be ended; end it by hand`,
  );
  expect([isAlive(deaf), existsSync(config), existsSync(recordFileOf(storeDir))]).toEqual([true, true, true]);
  deaf.kill('SIGKILL');
});

test.each([
  ['a folder of another name', (): string => path.join(folder, 'troupe-nats-of-mine')],
  ['a link', (): string => path.join(folder, 'troupe-nats-linked')],
  ['a folder without a config', (): string => path.join(folder, 'troupe-nats-a_file')],
])('what a record would have removed is left alone if it is %s', async (_what, nameOf) => {
  const named = nameOf();
  if (named.endsWith('linked')) symlinkSync(workDir, named);
  else mkdirSync(named);
  record(process.pid, path.join(named, 'nats.conf'));
  expect(await endOrphan(storeDir)).toBeNull();
  expect([existsSync(named), existsSync(workDir)]).toEqual([true, true]);
});

test('the server of the run directory that this one is a copy of is left alone', async () => {
  const copy = path.join(folder, 'copy');
  renameSync(storeDir, copy);
  expect(await endOrphan(copy)).toBeNull();
  expect([existsSync(workDir), isAlive(orphan)]).toEqual([true, true]);
});

test.each([
  ['that is no JSON', 'oops'],
  ['of another shape', '{"pid":1}'],
  ['that names a config which is none of ours', JSON.stringify({ pid: 1, config: '/etc/nats.conf', storeDir: '/' })],
])('a record %s is left alone', async (_what, text) => {
  writeFileSync(recordFileOf(storeDir), text);
  expect(await endOrphan(storeDir)).toBeNull();
  expect(readFileSync(recordFileOf(storeDir), 'utf8')).toBe(text);
});

test("a command line is a server's only if it ends with its config", () => {
  const config = '/tmp/troupe-nats-abcdef/nats.conf';
  expect(isServing(`nats-server -p 4222 -c ${config} `, config)).toBe(true);
  expect(isServing(`vim ${config} other`, config)).toBe(false);
  expect(isServing(null, config)).toBe(false);
});

test.runIf(process.platform === 'linux')(
  'a server ends with its guardian when that and the launcher are killed at once, and the record tells of its token',
  async () => {
    const program = path.join(import.meta.dirname, 'nats_launcher.ts');
    const own = path.join(folder, 'own');
    const launcher = spawn(process.execPath, [program, own], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: launcher.stdout }), 'line')) as [string];
    const { pid } = JSON.parse(line) as { pid: number };
    const guardian = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const { config } = JSON.parse(readFileSync(recordFileOf(own), 'utf8')) as { config: string };
    process.kill(guardian, 'SIGSTOP');
    launcher.kill('SIGKILL');
    process.kill(guardian, 'SIGKILL');
    while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setImmediate(resolve));
    expect(existsSync(config)).toBe(true);
    expect(await endOrphan(own)).toBeNull();
    expect(existsSync(path.dirname(config))).toBe(false);
  },
);
