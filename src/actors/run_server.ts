/**
 * The NATS server of a run: one of its own, started on loopback with a store in the run directory; one that runs
 * elsewhere; or none, where a single node needs none and none is to be had.
 */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  checkPort,
  findNatsServer,
  NatsServer,
  NatsServerLost,
  NatsServerMissing,
  type NatsAddress,
} from '../runtime/cluster/nats.ts';
import { codeOf } from '../system_error.ts';
import type { Topology } from '../topology/index.ts';

export interface RunServer {
  readonly address: NatsAddress;
  /** It was started for this run. */
  readonly isOwn: boolean;
  /** Resolves if the server ends for good, with the reason. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

export interface RunServerOptions {
  /** Folder of the topology file. */
  readonly baseDir: string;
  readonly runDir: string;
  readonly notice: (text: string) => void;
}

/** The file with the token cannot be used. */
export class TokenFileRefused extends Error {
  readonly tag = 'TokenFileRefused';
  readonly exitCode = 2;
  constructor(path: string, reason: string) {
    super(`cluster.nats.token_file ${path}: ${reason}`);
    this.name = 'TokenFileRefused';
  }
}

/**
 * What `openRunServer` would find wrong without starting or asking anything. Throws `NatsServerMissing`, `PortInUse`,
 * `TokenFileRefused`.
 */
export async function checkRunServer({ cluster }: Topology, baseDir: string): Promise<void> {
  const { url, port } = cluster.nats;
  if (url === 'none') return;
  if (url !== 'auto') return void tokenOf(cluster.nats, baseDir);
  try {
    findNatsServer();
  } catch (error) {
    if (isDispensable(error, cluster)) return;
    throw error;
  }
  if (port !== undefined) await checkPort(port);
}

/** Null where everything is to run in this process. Throws `NatsServerMissing`, `NatsServerFailed`, `PortInUse`, `TokenFileRefused`. */
export async function openRunServer({ cluster }: Topology, options: RunServerOptions): Promise<RunServer | null> {
  const { url, port } = cluster.nats;
  if (url === 'none') return null;
  if (url !== 'auto') {
    const token = tokenOf(cluster.nats, options.baseDir);
    const address = token === undefined || token === '' ? { url } : { url, token };
    return { address, isOwn: false, failed: new Promise(() => undefined), close: () => Promise.resolve() };
  }
  try {
    return await startServer(port, options);
  } catch (error) {
    if (!isDispensable(error, cluster)) throw error;
    options.notice(
      'no nats-server on this machine: one node runs in this process without it (troupe doctor tells how to get it)',
    );
    return null;
  }
}

/** One node does without a server that is not to be had. */
const isDispensable = (error: unknown, { nodes }: Topology['cluster']): boolean =>
  nodes === 1 && error instanceof NatsServerMissing;

async function startServer(port: number | undefined, { runDir, notice }: RunServerOptions): Promise<RunServer> {
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
  const server = await NatsServer.start({
    storeDir: resolve(runDir, 'nats'),
    ...(port === undefined ? {} : { port }),
    onNews: (news) => {
      if (news.kind === 'restarting') notice(`nats-server: ${news.reason}; starting it again`);
      if (news.kind === 'failed') fail(new NatsServerLost(news.reason));
    },
  });
  return { address: server.address, isOwn: true, failed, close: () => server.close() };
}

function tokenOf({ token_file: file }: Topology['cluster']['nats'], baseDir: string): string | undefined {
  return file === undefined ? process.env.TROUPE_NATS_TOKEN : readToken(resolve(baseDir, file));
}

function readToken(path: string): string {
  let mode: number;
  let token: string;
  try {
    ({ mode } = statSync(path));
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    const code = codeOf(error);
    throw new TokenFileRefused(path, `cannot be read (${code}); correct the path, or set TROUPE_NATS_TOKEN`);
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new TokenFileRefused(
      path,
      `others may read it (mode ${(mode & 0o777).toString(8)}); run 'chmod 600 ${path}'`,
    );
  }
  if (token === '') throw new TokenFileRefused(path, 'is empty; write the token of the NATS server into it');
  return token;
}
