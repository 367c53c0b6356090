/**
 * An own server is a nats-server that is started for its run, with its store in the run directory. What an earlier
 * launch has left of it is ended first. A store that is damaged is moved aside, and the run goes on with an empty one:
 * every number is in the checkpoint, gens are counted on from the checkpoints' names, and a decision that is lost is
 * made again from the same votes.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  endOrphan,
  NatsServer,
  NatsServerFailed,
  NatsServerLost,
  type NatsAddress,
  type NatsServerNews,
} from '../runtime/cluster/nats.ts';
import { codeOf, diskRemedy } from '../system_error.ts';
import type { OwnStore, RunServer } from './run_server_port.ts';

export interface OwnServerOptions {
  readonly storeDir: string;
  /** Default: any free one. */
  readonly port?: number;
  /** How long it may take until it listens. */
  readonly startMs: number;
  readonly notice: (text: string) => void;
  readonly signal: AbortSignal;
}

/** The store cannot be moved aside, or not back to `home`. */
export class StoreNotMoved extends Error {
  readonly tag = 'StoreNotMoved';
  readonly exitCode = 1;
  constructor(store: string, code: string, home?: string) {
    const problem = home === undefined ? 'damaged, and cannot be moved aside' : `cannot be moved back to ${home}`;
    super(`${store}: ${problem} (${code}); ${diskRemedy(code)}, or move it by hand`);
    this.name = 'StoreNotMoved';
  }
}

export class OwnServer implements RunServer, OwnStore {
  readonly own: OwnStore = this;
  readonly failed: Promise<Error>;
  readonly #options: OwnServerOptions;
  readonly #fail: (error: Error) => void;
  #server: NatsServer | null = null;
  #isRenewed = false;
  #isClosed = false;

  private constructor(options: OwnServerOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#fail = resolve;
  }

  /**
   * Starts the server and waits until it listens. Throws the signal's reason, `NatsServerMissing`, `NatsServerFailed`,
   * `NatsServerSilent`, `PortInUse`, `OrphanLives`, `StoreNotMoved`.
   */
  static async start(options: OwnServerOptions): Promise<OwnServer> {
    const { storeDir, notice } = options;
    const orphan = await endOrphan(storeDir);
    if (orphan !== null) notice(`nats-server: process ${orphan} was left behind by an earlier launch; ended it`);
    const server = new OwnServer(options);
    const isFilled = hasStreams(storeDir);
    try {
      await server.#start();
    } catch (error) {
      if (!isFilled || !(error instanceof NatsServerFailed) || !error.isStoreDamaged) throw error;
      await server.renew(error).catch((again: unknown) => {
        // Where it does not start with an empty store either, it was not the store: the first reason stands.
        throw again instanceof NatsServerFailed ? error : again;
      });
    }
    return server;
  }

  get storeDir(): string {
    return this.#options.storeDir;
  }

  get address(): NatsAddress {
    if (this.#server === null) throw new RangeError('server: used before it was started');
    return this.#server.address;
  }

  restart(): void {
    this.#server?.restart();
  }

  async renew(damage: Error): Promise<void> {
    const { storeDir, notice, signal } = this.#options;
    if (this.#isRenewed) throw damage;
    signal.throwIfAborted();
    this.#isRenewed = true;
    await this.#server?.close();
    const aside = moveAside(storeDir);
    // Its remedy is what is done here.
    const [problem] = damage.message.split(';', 1);
    notice(`${problem}; moved the store to ${basename(aside)}, and going on with an empty one`);
    try {
      await this.#start();
    } catch (error) {
      putBack(aside, storeDir);
      notice(`nats-server: not started with an empty store; moved ${basename(aside)} back`);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#server?.close();
  }

  async #start(): Promise<void> {
    const { notice, ...options } = this.#options;
    const onNews = (news: NatsServerNews): void => {
      if (news.kind === 'restarting') notice(`nats-server: ${news.reason}; starting it again`);
      if (news.kind === 'failed') this.#fail(new NatsServerLost(news.reason));
    };
    this.#server = await NatsServer.start({ ...options, onNews });
    if (this.#isClosed) await this.#server.close();
  }
}

/** Whether an earlier launch has kept something in a store. */
const hasStreams = (storeDir: string): boolean => existsSync(join(storeDir, 'jetstream'));

/** Gives the folder another name beside it, and returns that. Throws `StoreNotMoved`. */
function moveAside(storeDir: string): string {
  try {
    const taken = new Set(readdirSync(join(storeDir, '..')));
    let name = `${basename(storeDir)}.damaged`;
    for (let i = 2; taken.has(name); i += 1) name = `${basename(storeDir)}.damaged-${i}`;
    const aside = join(storeDir, '..', name);
    renameSync(storeDir, aside);
    return aside;
  } catch (error) {
    throw new StoreNotMoved(storeDir, codeOf(error));
  }
}

/** Undoes `moveAside`, over what the start that failed has left in its place. Throws `StoreNotMoved`. */
function putBack(aside: string, storeDir: string): void {
  try {
    rmSync(storeDir, { recursive: true, force: true });
    renameSync(aside, storeDir);
  } catch (error) {
    throw new StoreNotMoved(aside, codeOf(error), basename(storeDir));
  }
}
