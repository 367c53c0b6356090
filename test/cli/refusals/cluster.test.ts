/**
 * What is wrong with a cluster before a run on it begins: one line on standard error that says what, where and what to do,
 * and an exit code. No process and no temporary file is left, and the run that was to go on is as it was.
 */
// @module-tag nats-server
import { chmodSync, cpSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NatsServer } from '../../../src/runtime/cluster/nats.ts';
import type { Environment } from '../here.ts';
import { at, contentsOf, folder, launch, prepareFolder } from '../training.ts';
import { expectNothingLeft, launcherHere, onNodes } from './on_nodes.ts';
import { PlainServer } from './plain_server.ts';

interface Refusal {
  readonly what: string;
  /** Keys below `cluster`, read once the servers listen. */
  readonly keys: () => Readonly<Record<string, string | number>>;
  readonly environment?: () => Environment;
  readonly line: RegExp;
  readonly exitCode?: number;
  /** Found before texts are packed and a run directory is taken. */
  readonly isEarly?: true;
}

const refusals: readonly Refusal[] = [
  {
    what: 'a port at which another program listens',
    keys: () => ({ 'nats.url': 'auto', 'nats.port': portOf(occupant) }),
    line: /^troupe: 127\.0\.0\.1:\d+: another program listens there; .+cluster\.nats\.port/,
    isEarly: true,
  },
  {
    what: 'an address at which nobody listens',
    keys: () => ({ 'nats.url': 'nats://127.0.0.1:1' }),
    line: /^troupe: nats:\/\/127\.0\.0\.1:1: no NATS server answers \(.+\); .+cluster\.nats\.url$/,
  },
  {
    what: 'an address that accepts and is silent',
    keys: () => ({ 'nats.url': `nats://127.0.0.1:${portOf(silent)}` }),
    line: /^troupe: nats:\/\/127\.0\.0\.1:\d+: no NATS server answers \(.+\); .+cluster\.nats\.url$/,
  },
  {
    what: 'a wrong token',
    keys: () => ({ 'nats.url': server.address.url }),
    environment: () => ({ TROUPE_NATS_TOKEN: 'wrong' }),
    line: /^troupe: nats:\/\/127\.0\.0\.1:\d+: the NATS server refused the token; correct TROUPE_NATS_TOKEN or .+/,
  },
  {
    what: 'no token where one is needed',
    keys: () => ({ 'nats.url': server.address.url }),
    line: /^troupe: nats:\/\/127\.0\.0\.1:\d+: the NATS server wants a token, and none was given; set TROUPE_NATS_TOKEN or .+/,
  },
  {
    what: 'a token file that is missing',
    keys: () => ({ 'nats.url': server.address.url, 'nats.token_file': 'none.token' }),
    line: /^troupe: cluster\.nats\.token_file .*none\.token: cannot be read \(ENOENT\); correct the path, .+/,
    exitCode: 2,
    isEarly: true,
  },
  {
    what: 'a token file that others may read',
    keys: () => ({ 'nats.url': server.address.url, 'nats.token_file': 'open.token' }),
    line: /^troupe: cluster\.nats\.token_file .*open\.token: others may read it \(mode 644\); run 'chmod 600 .*open\.token'$/,
    exitCode: 2,
    isEarly: true,
  },
  {
    what: 'a token file that is a folder',
    keys: () => ({ 'nats.url': server.address.url, 'nats.token_file': 'letters' }),
    line: /^troupe: cluster\.nats\.token_file .*letters: cannot be read \(EISDIR\); correct the path, .+/,
    exitCode: 2,
    isEarly: true,
  },
  {
    what: 'a token file that is empty',
    keys: () => ({ 'nats.url': server.address.url, 'nats.token_file': 'empty.token' }),
    line: /^troupe: cluster\.nats\.token_file .*empty\.token: is empty; write the token .+/,
    exitCode: 2,
    isEarly: true,
  },
  {
    what: 'a server that takes short messages only',
    keys: () => ({ 'nats.url': narrow.address.url }),
    environment: () => ({ TROUPE_NATS_TOKEN: narrow.address.token }),
    line: /^troupe: nats:\/\/127\.0\.0\.1:\d+: max_payload is 16384 bytes; set it to at least \d+ .+/,
  },
  {
    what: 'a server without JetStream',
    keys: () => ({ 'nats.url': plain.url }),
    line: /^troupe: bucket troupe_tiny at nats:\/\/127\.0\.0\.1:\d+: jetstream is not enabled; .+ with JetStream .+/,
  },
  {
    what: 'no nats-server',
    keys: () => ({ 'nats.url': 'auto' }),
    environment: () => ({ PATH: undefined }),
    line: /^troupe: there is no nats-server on PATH, .+; run '.+', name a running server in cluster\.nats\.url, or .+$/,
    isEarly: true,
  },
  {
    what: 'no folder for temporary files',
    keys: () => ({ 'nats.url': 'auto' }),
    environment: () => ({ TMPDIR: at('nowhere') }),
    line: /^troupe: nats-server: nothing can be written below \S+\/nowhere \(ENOENT\); set TMPDIR to a folder .+ has room$/,
  },
  {
    what: 'nodes that nothing joins',
    keys: () => ({ 'nats.url': 'none' }),
    line: /^troupe: --set cluster\.nats\.url=none: cluster\.nats\.url: none runs in one process, but cluster\.nodes is 2; .+/,
    exitCode: 2,
  },
];

const tokenFiles = [
  ['open.token', 'token', 0o644],
  ['empty.token', '\n', 0o600],
] as const;

let occupant: Server;
let silent: Server;
let server: NatsServer;
let narrow: NatsServer;
let plain: PlainServer;
beforeAll(async () => {
  prepareFolder();
  launch('earlier', '--steps', '4');
  // So that only its being a folder speaks against it.
  chmodSync(at('letters'), 0o700);
  for (const [name, token, mode] of tokenFiles) {
    writeFileSync(at(name), token);
    // The umask has no part in this.
    chmodSync(at(name), mode);
  }
  [occupant, silent] = [0, 1].map(() => createServer().listen(0, '127.0.0.1'));
  [server, narrow, plain] = await Promise.all([
    NatsServer.start(),
    NatsServer.start({ maxPayloadBytes: 16_384 }),
    PlainServer.start(),
    once(occupant, 'listening'),
    once(silent, 'listening'),
  ]);
});
afterAll(async () => {
  occupant.close();
  silent.close();
  await Promise.all([server.close(), narrow.close(), plain.close()]);
  rmSync(folder, { recursive: true, force: true });
});

describe('two nodes with', () => {
  test.each(refusals)('$what', async ({ keys, environment, line, exitCode = 1 }) => {
    cpSync(at('earlier'), at('run'), { recursive: true });
    const launched = onNodes('run', { keys: keys(), environment: environment?.() }, '--resume', '--steps', '4');
    expect(await launched.ended).toBe(exitCode);
    expect(launched.stderr).toEqual([expect.stringMatching(line)]);
    await expectNothingLeft(launched, 'run');
    rmSync(at('run'), { recursive: true });
  });
});

describe('before texts are packed and a directory is taken, a new run and a dry one hear of', () => {
  const early = refusals.filter(({ isEarly }) => isEarly === true);
  test.each(early.flatMap((refusal) => [[], ['--dry-run']].map((more) => ({ ...refusal, more }))))(
    '$what $more',
    async ({ keys, environment, line, exitCode = 1, more }) => {
      const before = contentsOf(folder);
      const ground = { keys: keys(), environment: environment?.() };
      const { stdout, stderr, exitCode: found } = await launcherHere('new', ground, ...more);
      expect(found).toBe(exitCode);
      expect([stdout, stderr.split('\n')]).toEqual(['', [expect.stringMatching(line), '']]);
      expect(existsSync(at('new'))).toBe(false);
      expect(contentsOf(folder)).toEqual(before);
    },
  );
});

function portOf(listener: Server): number {
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new RangeError('it does not listen at a port');
  return address.port;
}
