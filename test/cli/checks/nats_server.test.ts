/** What the doctor says of a nats-server, by what its probe came to; and of stand-ins that are really started. */
import { describe, expect, test } from 'vitest';
import { checkNatsServer, judgeNatsServer, type NatsAnswer } from '../../../src/cli/checks/nats_server.ts';
import type { Answer } from '../../../src/cli/checks/probe.ts';
import { Stubs } from '../stubs.ts';

const path = '/somewhere/nats-server';
const answered = (value: Partial<NatsAnswer>): Answer<NatsAnswer> => ({
  kind: 'answered',
  value: { version: 'nats-server: v2.9.10', jetstream: true, failure: null, ...value },
  noise: '',
});
const look = `see what '${path} -js -a 127.0.0.1 -p -1' says`;
const renew = 'put nats-server 2.9.0 or newer into a folder of PATH, before this one';

test('one that starts with JetStream is good', () => {
  expect(judgeNatsServer(path, answered({}))).toEqual({
    check: 'nats-server',
    mark: 'ok',
    found: '2.9.10 at /somewhere/nats-server, starts with JetStream',
    mend: null,
    facts: { path, version: '2.9.10', jetstream: true },
  });
});

test.each<[string, Answer<NatsAnswer>, string, string]>([
  ['is too old', answered({ version: 'nats-server: v2.8.4' }), '2.8.4 is too old', renew],
  ['has no JetStream', answered({ jetstream: false }), '2.9.10 has no JetStream', renew],
  ['says no version', answered({ version: '' }), 'does not say its version', renew],
  [
    'does not start',
    answered({ jetstream: false, failure: 'nats-server: no room; try another disk' }),
    'does not start: nats-server: no room',
    'try another disk',
  ],
  [
    'cannot be reached',
    answered({ jetstream: false, failure: 'connect ENETUNREACH' }),
    'does not start: connect ENETUNREACH',
    look,
  ],
  [
    'hangs',
    { kind: 'failed', reason: 'it took more than 20 s and was ended', noise: '' },
    'cannot be tried: it took more than 20 s and was ended',
    look,
  ],
])('one that %s is a warning: one node trains without it', (_what, answer, found, mend) => {
  expect(judgeNatsServer(path, answer)).toMatchObject({
    mark: 'warn',
    found: `${path}: ${found}: one node trains without it`,
    mend,
  });
});

describe.skipIf(process.platform === 'win32')('a stand-in', () => {
  test('that is not there is a warning with the command to install it', async () => {
    using stubs = new Stubs({});
    const finding = await checkNatsServer(stubs.folder);
    expect(finding).toMatchObject({ mark: 'warn', found: 'none on PATH: one node trains without it' });
    expect(finding.mend).toMatch(/^run '\w+(-get)? install nats-server', name a running server/);
    expect(finding.facts).toEqual({ path: null, version: null, jetstream: false });
  });

  test('that says its version and ends is a warning with how it ended', async () => {
    using stubs = new Stubs({
      'nats-server': 'if [ "$1" = --version ]; then echo "nats-server: v2.9.10"; exit; fi\nexit 7',
    });
    expect(await checkNatsServer(stubs.folder)).toMatchObject({
      mark: 'warn',
      found: expect.stringContaining('does not start: ') as string,
      mend: expect.stringContaining('a store directory that can be written') as string,
      facts: { version: '2.9.10', jetstream: false },
    });
    expect(stubs.calls).toHaveLength(2);
  });
});
