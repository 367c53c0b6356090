/**
 * The NATS server of a run is one of its own, started on loopback with a store in the run directory; or one that runs
 * elsewhere; or none, where a single node needs none and none is to be had. A run without one does not load the client.
 */
import { resolve } from 'node:path';
import { NatsServerMissing } from '../runtime/cluster/nats_server_errors.ts';
import type { Topology } from '../topology/index.ts';
import type { RunServer } from './run_server_port.ts';
import { tokenOf } from './server_token.ts';

export interface RunServerOptions {
  /** Folder of the topology file. */
  readonly baseDir: string;
  readonly runDir: string;
  readonly notice: (text: string) => void;
  /** When aborted, a server that is being started is given up, with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * What `openRunServer` would find wrong without starting or asking anything. Throws `NatsServerMissing`, `PortInUse`,
 * `TokenFileRefused`.
 */
export async function checkRunServer({ cluster }: Topology, baseDir: string): Promise<void> {
  const { url, port } = cluster.nats;
  if (url === 'none') return;
  if (url !== 'auto') return void tokenOf(cluster.nats, baseDir);
  const { checkPort, findNatsServer } = await import('../runtime/cluster/nats.ts');
  try {
    findNatsServer();
  } catch (error) {
    if (isDispensable(error, cluster)) return;
    throw error;
  }
  if (port !== undefined) await checkPort(port);
}

/**
 * Null where everything is to run in this process. Throws `NatsServerMissing`, `NatsServerFailed`, `NatsServerSilent`,
 * `PortInUse`, `OrphanLives`, `StoreNotMoved`, `TokenFileRefused`.
 */
export async function openRunServer({ cluster }: Topology, options: RunServerOptions): Promise<RunServer | null> {
  const { url, port } = cluster.nats;
  const { baseDir, runDir, notice, signal } = options;
  if (url === 'none') return null;
  if (url !== 'auto') {
    const token = tokenOf(cluster.nats, baseDir);
    const address = token === undefined || token === '' ? { url } : { url, token };
    return { address, own: null, failed: new Promise(() => undefined), close: () => Promise.resolve() };
  }
  const { OwnServer } = await import('./own_server.ts');
  try {
    const startMs = cluster.wait * 1000;
    const ports = port === undefined ? {} : { port };
    return await OwnServer.start({ storeDir: resolve(runDir, 'nats'), ...ports, startMs, notice, signal });
  } catch (error) {
    if (!isDispensable(error, cluster)) throw error;
    notice(
      'no nats-server on this machine: one node runs in this process without it (troupe doctor tells how to get it)',
    );
    return null;
  }
}

/** One node does without a server that is not to be had. */
const isDispensable = (error: unknown, { nodes }: Topology['cluster']): boolean =>
  nodes === 1 && error instanceof NatsServerMissing;
