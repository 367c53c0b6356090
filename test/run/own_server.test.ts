/** What a launch makes of what earlier ones have left in its store: a damaged one is moved aside, and gens never go back. */
// @module-tag nats-server
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { found, type Founding } from '../../src/run/founding.ts';
import { OwnServer } from '../../src/run/own_server.ts';
import { SystemClock } from '../../src/runtime/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'troupe-own-'));
let runs = 0;
let runDir: string;
let storeDir: string;
let notices: string[];
beforeEach(() => {
  runDir = join(folder, `run-${runs++}`);
  storeDir = join(runDir, 'nats');
  notices = [];
  mkdirSync(runDir);
});
const opened: OwnServer[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of opened.splice(0)) await server.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function start(): Promise<OwnServer> {
  const { signal } = new AbortController();
  const server = await OwnServer.start({
    storeDir,
    startMs: 60_000,
    notice: (text) => void notices.push(text),
    signal,
  });
  opened.push(server);
  return server;
}

const foundIn = (server: OwnServer, gen: number): Promise<Founding> =>
  found({
    server,
    clock: new SystemClock(),
    cluster: 'mine',
    runId: 'run-1',
    leaseMs: 10_000,
    gen,
    connectMs: 60_000,
    signal: new AbortController().signal,
    onLost: () => undefined,
    onBeat: () => undefined,
  });

/** A launch that begins in the least gen that it may, and ends; returns the gen. */
async function launch(least: number): Promise<number> {
  const server = await start();
  const { claim, control, gen } = await foundIn(server, least);
  claim.stop();
  await control.close();
  await server.close();
  return gen;
}

/** Every 97th byte of the store's files is another. */
function damage(): void {
  for (const name of readdirSync(storeDir, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.blk')) continue;
    const bytes = readFileSync(join(storeDir, name));
    for (let i = 0; i < bytes.length; i += 97) bytes[i] ^= 0x5a;
    writeFileSync(join(storeDir, name), bytes);
  }
}

it('a store that is whole is gone on with, in a higher gen', async () => {
  expect([await launch(1), await launch(1)]).toEqual([1, 2]);
  expect([notices, readdirSync(runDir)]).toEqual([[], ['nats']]);
});

it('a store that contradicts itself is moved aside with a line, and the gen goes on from the checkpoints', async () => {
  await launch(3);
  damage();
  expect(await launch(4)).toBe(4);
  expect(notices).toEqual([
    expect.stringMatching(
      /^the NATS store is damaged: key \S+: .+; moved the store to nats\.damaged, and going on with an empty one$/,
    ),
  ]);
  expect(readdirSync(runDir).sort()).toEqual(['nats', 'nats.damaged']);
  expect(await launch(1)).toBe(5);
});

it('a store over which nats-server ends is moved aside, too', async () => {
  await launch(1);
  // A file where the server needs a folder, as a failing disk leaves it.
  rmSync(join(storeDir, 'jetstream'), { recursive: true });
  writeFileSync(join(storeDir, 'jetstream'), 'not a folder');
  expect(await launch(2)).toBe(2);
  expect(notices).toEqual([expect.stringContaining('; moved the store to nats.damaged, and going on')]);
});

it('a store is left in its place where the server could not be started for another reason', async () => {
  await launch(1);
  vi.stubEnv('TMPDIR', join(folder, 'nowhere'));
  await expect(start()).rejects.toMatchObject({ tag: 'NatsServerFailed', isStoreDamaged: false });
  vi.unstubAllEnvs();
  expect([notices, readdirSync(runDir)]).toEqual([[], ['nats']]);
  expect(await launch(1)).toBe(2);
});

/** As long as it is on PATH, nats-server ends over whatever store it is given. */
function breakServer(): void {
  const bin = mkdtempSync(join(folder, 'bin-'));
  const script = "#!/bin/sh\necho '[1] [FTL] Can not start JetStream: damaged' >&2\nexit 1\n";
  writeFileSync(join(bin, 'nats-server'), script, { mode: 0o755 });
  vi.stubEnv('PATH', bin);
}

it('a store is moved back where the server does not start with an empty one either', async () => {
  await launch(1);
  breakServer();
  await expect(start()).rejects.toThrow('/nats-server: Can not start JetStream: damaged; ');
  vi.unstubAllEnvs();
  expect(notices).toEqual([
    expect.stringContaining('; moved the store to nats.damaged, and going on with an empty one'),
    'nats-server: not started with an empty store; moved nats.damaged back',
  ]);
  expect(readdirSync(runDir)).toEqual(['nats']);
  expect(await launch(1)).toBe(2);
});

it('an interrupt while a store is moved aside is the reason that is given, and the store is moved back', async () => {
  await launch(1);
  breakServer();
  const interrupted = new AbortController();
  const starting = OwnServer.start({
    storeDir,
    startMs: 60_000,
    notice: () => interrupted.abort(new Error('enough')),
    signal: interrupted.signal,
  });
  await expect(starting).rejects.toThrow('enough');
  expect(readdirSync(runDir)).toEqual(['nats']);
});

it('a store that stays damaged ends the launch by its name', async () => {
  const server = await start();
  await server.renew(new Error('first'));
  await expect(server.renew(new Error('second'))).rejects.toThrow('second');
  expect(existsSync(join(runDir, 'nats.damaged-2'))).toBe(false);
});
