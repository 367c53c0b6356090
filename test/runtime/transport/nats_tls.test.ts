/**
 * TLS is spoken where the address says so and nowhere else. The certificate in `certificate/` is for 127.0.0.1, signed by
 * itself, and its key opens nothing but the server of this test.
 */
// @module-tag nats-server
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, Socket, type AddressInfo, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { findNatsServer } from '../../../src/runtime/cluster/nats_server.ts';
import { NatsConnection } from '../../../src/runtime/transport/nats_connection.ts';

const TOKEN = 'a-secret-token';
const file = (name: string): string => path.join(import.meta.dirname, 'certificate', name);
const known = getCACertificates('default');
let folder: string;
const servers: ChildProcess[] = [];
let secure: number;
let plain: number;

/** A nats-server with `lines` in its config; returns its port. */
async function serve(name: string, ...lines: string[]): Promise<number> {
  const config = path.join(folder, name);
  const text = ['host: "127.0.0.1"', 'port: -1', `authorization { token: "${TOKEN}" }`, ...lines, ''].join('\n');
  writeFileSync(config, text, { mode: 0o600 });
  const server = spawn(findNatsServer(), ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  servers.push(server);
  for await (const line of createInterface({ input: server.stderr })) {
    const port = /client connections on \S+:(\d+)/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new RangeError('nats-server ended');
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'troupe-tls-'));
  const tls = `tls { cert_file: ${JSON.stringify(file('cert.pem'))}, key_file: ${JSON.stringify(file('key.pem'))} }`;
  [secure, plain] = await Promise.all([serve('secure.conf', tls), serve('plain.conf')]);
});
afterEach(() => setDefaultCACertificates(known));
afterAll(async () => {
  for (const server of servers) {
    const ended = once(server, 'exit');
    server.kill();
    await ended;
  }
  rmSync(folder, { recursive: true });
});

/** Stands before a server at `port`, and keeps all that goes to it. */
class Listener {
  readonly #heard: Buffer[] = [];
  readonly #sockets: Socket[] = [];
  readonly #server: Server;

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const behind = new Socket().connect(port, '127.0.0.1');
      this.#sockets.push(client, behind);
      client.on('data', (bytes) => void this.#heard.push(Buffer.from(bytes)));
      for (const socket of [client, behind]) socket.on('error', () => undefined);
      client.pipe(behind).pipe(client);
    });
  }

  static async before(port: number): Promise<Listener> {
    const listener = new Listener(port);
    listener.#server.listen(0, '127.0.0.1');
    await once(listener.#server, 'listening');
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get text(): string {
    return Buffer.concat(this.#heard).toString('latin1');
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const open = (scheme: string, port: number): Promise<NatsConnection> =>
  NatsConnection.open({ url: `${scheme}://127.0.0.1:${port}`, token: TOKEN }, 'test');

test('tls:// is TLS, to a server whose certificate an authority has signed that is known, and no token is seen', async () => {
  setDefaultCACertificates([...known, readFileSync(file('cert.pem'), 'utf8')]);
  const listener = await Listener.before(secure);
  const connection = await open('tls', listener.port);
  expect(await connection.flush()).toBe(true);
  await connection.close();
  expect(listener.text.length).toBeGreaterThan(0);
  expect(listener.text).not.toContain(TOKEN);
  await listener.close();
});

test('a certificate of an unknown authority is refused, and the server is told no token', async () => {
  const listener = await Listener.before(secure);
  await expect(open('tls', listener.port)).rejects.toMatchObject({
    tag: 'NatsTlsRefused',
    message:
      `tls://127.0.0.1:${listener.port}: the certificate of the NATS server is refused (DEPTH_ZERO_SELF_SIGNED_CERT); ` +
      'correct it, or name the file of your own authority in NODE_EXTRA_CA_CERTS',
  });
  expect(listener.text).not.toContain(TOKEN);
  await listener.close();
});

test('a certificate for another host is refused', async () => {
  setDefaultCACertificates([...known, readFileSync(file('cert.pem'), 'utf8')]);
  const url = `tls://localhost:${secure}`;
  await expect(NatsConnection.open({ url, token: TOKEN }, 'test')).rejects.toThrow(
    `${url}: the certificate of the NATS server is refused (ERR_TLS_CERT_ALTNAME_INVALID); `,
  );
});

test('tls:// never falls back: a server without TLS is refused before it is told anything', async () => {
  const listener = await Listener.before(plain);
  await expect(open('tls', listener.port)).rejects.toMatchObject({
    tag: 'NatsTlsRefused',
    message:
      `tls://127.0.0.1:${listener.port}: the NATS server speaks no TLS, and was told nothing; ` +
      'give it a certificate, or write nats:// in cluster.nats.url if the way to it is safe',
  });
  expect(listener.text).toBe('');
  await listener.close();
});

test('a server that wants TLS is named where the address says nats://, and is told nothing', async () => {
  const listener = await Listener.before(secure);
  await expect(open('nats', listener.port)).rejects.toMatchObject({
    tag: 'NatsTlsRefused',
    message: `nats://127.0.0.1:${listener.port}: the NATS server wants TLS; write tls:// in cluster.nats.url`,
  });
  expect(listener.text).toBe('');
  await listener.close();
});

test('an address that cannot be read is an error like that of one at which nobody is', async () => {
  const refused = expect(NatsConnection.open({ url: 'tls://a:b:c' }, 'test')).rejects;
  await refused.toThrow(
    'tls://a:b:c: no NATS server answers (Invalid URL); start one there or correct cluster.nats.url',
  );
});
