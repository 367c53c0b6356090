// @module-tag nats-server
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findNatsServer, NatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import type { NatsServerNews } from '../../../src/runtime/cluster/nats_guardian_port.ts';
import { NatsServerMissing } from '../../../src/runtime/cluster/nats_server_errors.ts';
import { NatsConnection } from '../../../src/runtime/transport/nats_connection.ts';

/** Resolves when no process has this id. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const ps = (field: string, pid: number): string =>
  execFileSync('ps', ['-o', field, '-p', String(pid)], { encoding: 'utf8' }).trim();

test('a server is started with a token, and ends with close', async () => {
  const server = await NatsServer.start();
  const connection = await NatsConnection.open(server.address, 'test');
  expect([connection.isConnected, connection.maxPayloadBytes]).toEqual([true, 2 ** 20]);
  await connection.close();
  await server.close();
  await gone(server.pid);
  await expect(NatsConnection.open(server.address, 'test')).rejects.toMatchObject({ tag: 'NatsUnreachable' });
});

test('a wrong token, and none, are refused with a remedy', async () => {
  const server = await NatsServer.start();
  const { url } = server.address;
  const remedy = 'TROUPE_NATS_TOKEN or cluster.nats.token_file: it is the token that this server was started with';
  await expect(NatsConnection.open({ url, token: 'wrong' }, 'test')).rejects.toThrow(
    `${url}: the NATS server refused the token; correct ${remedy}`,
  );
  await expect(NatsConnection.open({ url }, 'test')).rejects.toThrow(
    `${url}: the NATS server wants a token, and none was given; set ${remedy}`,
  );
  await server.close();
});

test('a server that takes only small messages is refused', async () => {
  const server = await NatsServer.start({ maxPayloadBytes: 1024 });
  await expect(NatsConnection.open(server.address, 'test')).rejects.toThrow(
    `${server.address.url}: max_payload is 1024 bytes; set it to at least 32768 in the server's config`,
  );
  await server.close();
});

test('a port that is in use is named', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await expect(NatsServer.start({ port })).rejects.toThrow(
    `127.0.0.1:${port}: another program listens there; end it, or choose another cluster.nats.port or none`,
  );
  other.close();
});

test('where there is no nats-server the error says how to get one', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'troupe-none-'));
  expect(() => findNatsServer(folder)).toThrow(NatsServerMissing);
  rmSync(folder, { recursive: true });
  const lines = (['linux', 'darwin', 'win32', 'sunos'] as const).map((os) => new NatsServerMissing('PATH', os).message);
  expect(lines[0]).toBe(
    "there is no nats-server on PATH, and nodes talk through one; run 'apt-get install nats-server', " +
      'name a running server in cluster.nats.url, or train on one node (cluster.nodes=1)',
  );
  expect(lines[1]).toContain("run 'brew install nats-server',");
  expect(lines[2]).toContain("run 'choco install nats-server',");
  expect(lines[3]).toContain("(Debian), 'brew install nats-server' (macOS) or");
});

test('a store that cannot be written is reported', async () => {
  const storeDir = path.join(process.execPath, 'store');
  await expect(NatsServer.start({ storeDir })).rejects.toThrow(
    `nats-server: its store ${storeDir} cannot be written (ENOTDIR); remove what is in its place`,
  );
});

test('a server that is killed comes back at the same port with what it stored', async () => {
  const news: string[] = [];
  let back: () => void = () => undefined;
  const isBack = new Promise<void>((resolve) => (back = resolve));
  const server = await NatsServer.start({
    onNews: ({ kind }) => {
      news.push(kind);
      if (kind === 'ready') back();
    },
  });
  const { pid } = server;
  process.kill(pid, 'SIGKILL');
  await isBack;
  expect(news).toEqual(['restarting', 'ready']);
  expect(server.pid).not.toBe(pid);
  const connection = await NatsConnection.open(server.address, 'test');
  await connection.close();
  await server.close();
  await gone(server.pid);
});

test.each([
  ['SIGKILL', 'its guardian ended (SIGKILL)'],
  ['SIGTERM', 'its guardian ended (exit code 0)'],
] as const)('when the guardian gets %s, its server ends too, and that is told once', async (signal, reason) => {
  const news: NatsServerNews[] = [];
  const told = Promise.withResolvers<undefined>();
  const server = await NatsServer.start({
    onNews: (one) => {
      news.push(one);
      told.resolve(undefined);
    },
  });
  const folder = path.dirname(ps('args=', server.pid).split(' ').at(-1) ?? '');
  expect(existsSync(folder)).toBe(true);
  process.kill(Number(ps('ppid=', server.pid)), signal);
  await told.promise;
  await gone(server.pid);
  expect(existsSync(folder)).toBe(false);
  await server.close();
  expect(news).toEqual([{ kind: 'failed', reason, isStoreDamaged: false }]);
});

test('when its launcher is killed, nothing is left of the server: no process, no files, no token in argv', async () => {
  const launcher = spawn(process.execPath, [path.join(import.meta.dirname, 'nats_launcher.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: launcher.stdout }), 'line')) as [string];
  const { pid, token } = JSON.parse(line) as { pid: number; token: string };
  const [args, guardian] = ['args=', 'ppid='].map((field) => ps(field, pid));
  const config = args.split(' ').at(-1) ?? '';
  expect([args, ps('args=', Number(guardian))].join(' ')).not.toContain(token);
  expect(readFileSync(config, 'utf8')).toContain(token);
  expect(statSync(config).mode & 0o777).toBe(0o600);
  launcher.kill('SIGKILL');
  await Promise.all([gone(pid), gone(Number(guardian))]);
  expect(existsSync(path.dirname(config))).toBe(false);
});

describe.runIf(process.platform === 'linux')('a program that starts and never listens', () => {
  let folder: string;
  let pidFile: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'troupe-imposter-'));
    pidFile = path.join(folder, 'pids');
    const script = `#!/bin/sh\nsleep 600 &\necho "$$ $!" > ${pidFile}.new\nmv ${pidFile}.new ${pidFile}\nwait\n`;
    writeFileSync(path.join(folder, 'nats-server'), script, { mode: 0o755 });
    mkdirSync(path.join(folder, 'tmp'));
    vi.stubEnv('TMPDIR', path.join(folder, 'tmp'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  const temporary = (): string[] => readdirSync(path.join(folder, 'tmp'));

  /** Its processes, once they are there. */
  async function pids(): Promise<number[]> {
    while (!existsSync(pidFile)) await new Promise((resolve) => setImmediate(resolve));
    return readFileSync(pidFile, 'utf8').trim().split(' ').map(Number);
  }

  test('is given up after the time that it has, by its name, its log and its store, and leaves nothing', async () => {
    const storeDir = path.join(folder, 'store');
    const start = NatsServer.start({ searchPath: folder, storeDir, startMs: 1_000 });
    await expect(start).rejects.toThrow(
      `${folder}/nats-server: started, and does not listen after 1 s; ` +
        `see ${storeDir}/nats-server.log, and whether the disk of ${storeDir} answers`,
    );
    if (existsSync(pidFile)) await Promise.all((await pids()).map(gone));
    expect([temporary(), existsSync(path.join(storeDir, 'server.json'))]).toEqual([[], false]);
  });

  test('is given up at once when the start is, and leaves nothing', async () => {
    const interrupted = new AbortController();
    const start = NatsServer.start({ searchPath: folder, startMs: 600_000, signal: interrupted.signal });
    const refused = expect(start).rejects.toThrow('enough');
    const started = await pids();
    interrupted.abort(new Error('enough'));
    await refused;
    await Promise.all(started.map(gone));
    expect(temporary()).toEqual([]);
  });
});

test('a guardian that is stopped does not hold the end, and its server ends with it', async () => {
  const server = await NatsServer.start({ endMs: 100 });
  const [args, guardian] = ['args=', 'ppid='].map((field) => ps(field, server.pid));
  process.kill(Number(guardian), 'SIGSTOP');
  await server.close();
  await Promise.all([gone(server.pid), gone(Number(guardian))]);
  expect(existsSync(path.dirname(args.split(' ').at(-1) ?? ''))).toBe(false);
});

test('a server that hangs is started again when it is asked to be, at the same port', async () => {
  const back = Promise.withResolvers<undefined>();
  const server = await NatsServer.start({ onNews: ({ kind }) => kind === 'ready' && back.resolve(undefined) });
  const { pid } = server;
  process.kill(pid, 'SIGSTOP');
  server.restart();
  await back.promise;
  const connection = await NatsConnection.open(server.address, 'test');
  await connection.close();
  await server.close();
  await Promise.all([gone(pid), gone(server.pid)]);
});

test.runIf(process.platform === 'linux')(
  'where nothing can be written, that is said in one line, and no folder is left',
  async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'troupe-full-'));
    const program = path.join(import.meta.dirname, 'nats_launcher.ts');
    // A limit on the size of files is as good as a disk that is full.
    const launcher = spawn('sh', ['-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath, program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: folder },
    });
    const [line] = (await once(createInterface({ input: launcher.stdout }), 'line')) as [string];
    expect(JSON.parse(line)).toEqual({
      tag: 'NatsServerFailed',
      message: `nats-server: nothing can be written below ${folder} (EFBIG); set TMPDIR to a folder that can be written and has room`,
    });
    expect(readdirSync(folder).filter((name) => name.startsWith('troupe-'))).toEqual([]);
    rmSync(folder, { recursive: true });
  },
);
