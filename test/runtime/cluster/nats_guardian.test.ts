/** What launcher and guardian make of a server that ends oddly. In its stead runs a script that only seems to listen. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { NatsServerNews } from '../../../src/runtime/cluster/nats_guardian_port.ts';
import { recordFileOf } from '../../../src/runtime/cluster/nats_orphan.ts';
import { NatsServer } from '../../../src/runtime/cluster/nats_server.ts';

const ps = (field: string, pid: number): string =>
  execFileSync('ps', ['-o', field, '-p', String(pid)], { encoding: 'utf8' }).trim();

describe.runIf(process.platform === 'linux')('a server', () => {
  let folder: string;
  let storeDir: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'troupe-script-'));
    storeDir = path.join(folder, 'store');
    mkdirSync(storeDir);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** It says where it listens, and goes on as `then`. */
  function write(then: string): void {
    const listen = `for config; do :; done\necho '{"nats": ["nats://127.0.0.1:1"]}' > "$(dirname "$config")/ports/1.ports"`;
    writeFileSync(path.join(folder, 'nats-server'), `#!/bin/sh\n${listen}\n${then}\n`, { mode: 0o755 });
  }

  test('that ends without a word is not said to have ended by what it said before an earlier start', async () => {
    const mark = path.join(folder, 'mark');
    write(`[ -e ${mark} ] || echo '[1] [FTL] the first end' >&2\ntouch ${mark}\nexec sleep 600`);
    const reasons: string[] = [];
    const back = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const onNews = (news: NatsServerNews): void => {
      if (news.kind === 'ready') back.at(reasons.length - 1)?.resolve(undefined);
      else reasons.push(news.reason);
    };
    const server = await NatsServer.start({ searchPath: folder, storeDir, onNews });
    for (const { promise } of back) {
      while (!existsSync(mark) || ps('comm=', server.pid) !== 'sleep') await new Promise(setImmediate);
      process.kill(server.pid, 'SIGKILL');
      await promise;
    }
    await server.close();
    expect(reasons).toEqual(['the first end', 'nats-server ended (SIGKILL)']);
  });

  test('collects less garbage than it would by itself, unless it is told otherwise from outside', async () => {
    const said = path.join(folder, 'said');
    write(`echo "$GOGC" > ${said}.new; mv ${said}.new ${said}; exec sleep 600`);
    const inside: string[] = [];
    for (const outside of [undefined, '50']) {
      vi.stubEnv('GOGC', outside);
      const server = await NatsServer.start({ searchPath: folder, storeDir });
      while (!existsSync(said)) await new Promise(setImmediate);
      inside.push(readFileSync(said, 'utf8').trim());
      rmSync(said);
      await server.close();
    }
    vi.unstubAllEnvs();
    expect(inside).toEqual(['400', '50']);
  });

  test("whose process id is now a stranger's is not killed when its guardian has ended, and its record is removed", async () => {
    // It becomes another program, which the kernel does not end with the guardian, as it would where there is a setpriv.
    write('command -v setpriv && exec setpriv --pdeathsig clear sleep 600; exec sleep 600');
    const failed = Promise.withResolvers<NatsServerNews>();
    const server = await NatsServer.start({ searchPath: folder, storeDir, onNews: failed.resolve });
    while (ps('args=', server.pid) !== 'sleep 600') await new Promise(setImmediate);
    process.kill(Number(ps('ppid=', server.pid)), 'SIGKILL');
    expect(await failed.promise).toMatchObject({ kind: 'failed', reason: 'its guardian ended (SIGKILL)' });
    expect([ps('args=', server.pid), existsSync(recordFileOf(storeDir))]).toEqual(['sleep 600', false]);
    process.kill(server.pid, 'SIGKILL');
  });

  test('is not started where the start is given up while its port is looked at', async () => {
    write('exec sleep 600');
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const interrupted = new AbortController();
    const start = NatsServer.start({ searchPath: folder, storeDir, port, signal: interrupted.signal });
    interrupted.abort(new Error('enough'));
    await expect(start).rejects.toThrow('enough');
  });
});
