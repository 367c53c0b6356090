/**
 * A nats-server of our own runs on loopback: it is found on PATH, started with a random token and a store of its own,
 * watched by a guardian process, out of reach of the terminal's Ctrl-C. It ends with `close`, or when this process
 * does.
 */

import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { codeOf, diskRemedy } from '../../system_error.ts';
import type { NatsAddress } from '../transport/nats_connection.ts';
import { CONFIG_FILE, PORTS_DIR, WORK_DIR_PREFIX, type NatsServerNews } from './nats_guardian_port.ts';
import { GuardianProcess } from './nats_guardian_process.ts';
import { recordFileOf } from './nats_orphan.ts';
import { formatConfig } from './nats_server_config.ts';
import { NatsServerFailed, NatsServerMissing, NatsServerSilent, PortInUse } from './nats_server_errors.ts';

export interface NatsServerOptions {
  /** Keeps streams over the life of a run; default: a temporary one, removed at the end. */
  readonly storeDir?: string;
  /** Default: any free one. */
  readonly port?: number;
  readonly maxPayloadBytes?: number;
  readonly maxPendingBytes?: number;
  /** Where to look; default: PATH. */
  readonly searchPath?: string;
  /** How long it may take until it listens. */
  readonly startMs?: number;
  /** How long server and guardian may take to end by themselves; then they are killed. */
  readonly endMs?: number;
  /** When aborted, a start is given up, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** nats-server ended and is started again, or (`failed`, once) will not be. */
  readonly onNews?: NewsListener;
}

const MAX_PAYLOAD_BYTES = 2 ** 20;
const MAX_PENDING_BYTES = 256 * 2 ** 20;
const START_MS = 60_000;
/** How long server and guardian may take to end; longer than a guardian gives its server. */
const END_MS = 5_000;

type NewsListener = (news: NatsServerNews) => void;
type ReadyNews = Extract<NatsServerNews, { kind: 'ready' }>;

/** What its guardian is given, made on disk. */
interface Premises {
  readonly workDir: string;
  readonly storeDir: string;
  readonly logFile: string;
}

export class NatsServer {
  /** Give it to nodes by the environment or a 0600 file, never in argv. */
  readonly address: NatsAddress;
  readonly port: number;
  readonly #guardian: GuardianProcess;
  #pid: number;
  #isOver = false;

  private constructor(guardian: GuardianProcess, ready: ReadyNews, address: NatsAddress) {
    this.#guardian = guardian;
    this.#pid = ready.pid;
    this.port = ready.port;
    this.address = address;
  }

  /**
   * Starts one and waits until it listens. Throws `NatsServerMissing`, `PortInUse`, `NatsServerFailed`, `NatsServerSilent`;
   * whatever it throws, nothing is left.
   */
  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const { port = -1, startMs = START_MS, endMs = END_MS, signal, onNews = () => undefined } = options;
    signal?.throwIfAborted();
    const binary = findNatsServer(options.searchPath);
    if (port > 0) await checkPort(port);
    signal?.throwIfAborted();
    const token = randomBytes(24).toString('base64url');
    const premises = prepare(options, token, port);
    const started = Promise.withResolvers<ReadyNews>();
    let server: NatsServer | null = null;
    const recordFile = options.storeDir === undefined ? null : recordFileOf(premises.storeDir);
    const guardian = new GuardianProcess({ binary, ...premises, recordFile }, endMs, (news) => {
      if (server !== null) server.#heard(news, onNews);
      else if (news.kind === 'ready') started.resolve(news);
      else started.reject(new NatsServerFailed(binary, news.reason, undefined, isDamage(news)));
    });
    const { logFile, storeDir } = premises;
    const log = options.storeDir === undefined ? {} : { log: logFile };
    const silent = new NatsServerSilent(binary, startMs, storeDir, log.log);
    const timer = setTimeout(() => started.reject(silent), startMs);
    const giveUp = (): void => started.reject(signal?.reason);
    signal?.addEventListener('abort', giveUp);
    void guardian.ended.then((how) => started.reject(new NatsServerFailed(binary, how)));
    try {
      const ready = await started.promise;
      const address = { url: `nats://127.0.0.1:${ready.port}`, token, ...log };
      const opened = new NatsServer(guardian, ready, address);
      server = opened;
      void guardian.ended.then((reason) => opened.#heard({ kind: 'failed', reason, isStoreDamaged: false }, onNews));
      return opened;
    } catch (error) {
      await guardian.end();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
    }
  }

  /** The process id of nats-server itself. */
  get pid(): number {
    return this.#pid;
  }

  /** Ends nats-server by force, for one that hangs; its guardian starts it again, at the same port. */
  restart(): void {
    this.#guardian.restartServer();
  }

  /** Ends nats-server, and waits until it has ended. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#guardian.end();
  }

  /** Passes on what the guardian tells; nothing is news after the end. */
  #heard(news: NatsServerNews, onNews: NewsListener): void {
    if (this.#isOver) return;
    if (news.kind === 'failed') this.#isOver = true;
    if (news.kind === 'ready') this.#pid = news.pid;
    onNews(news);
  }
}

const isDamage = (news: NatsServerNews): boolean => news.kind === 'failed' && news.isStoreDamaged;

/** Makes the folders, and the config with the token. Throws `NatsServerFailed`, and leaves nothing in the folder for temporary files. */
function prepare(options: NatsServerOptions, token: string, port: number): Premises {
  let workDir: string | null = null;
  try {
    workDir = mkdtempSync(path.join(os.tmpdir(), WORK_DIR_PREFIX));
    const portsDir = path.join(workDir, PORTS_DIR);
    mkdirSync(portsDir);
    const storeDir = path.resolve(options.storeDir ?? path.join(workDir, 'store'));
    const maxPayloadBytes = options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES;
    const maxPendingBytes = Math.max(options.maxPendingBytes ?? MAX_PENDING_BYTES, maxPayloadBytes);
    const config = formatConfig({ port, token, storeDir, portsDir, maxPayloadBytes, maxPendingBytes });
    writeFileSync(path.join(workDir, CONFIG_FILE), config, { mode: 0o600 });
    return { workDir, storeDir, logFile: openLog(options.storeDir === undefined ? workDir : storeDir) };
  } catch (error) {
    if (workDir !== null) rmSync(workDir, { recursive: true, force: true });
    if (error instanceof NatsServerFailed) throw error;
    const reason = `nothing can be written below ${os.tmpdir()} (${codeOf(error)})`;
    throw new NatsServerFailed('nats-server', reason, 'set TMPDIR to a folder that can be written and has room');
  }
}

/** The server's log, empty. Throws `NatsServerFailed` where its store cannot be. */
function openLog(folder: string): string {
  const logFile = path.join(folder, 'nats-server.log');
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(logFile, '', { mode: 0o600 });
    return logFile;
  } catch (error) {
    const code = codeOf(error);
    throw new NatsServerFailed('nats-server', `its store ${folder} cannot be written (${code})`, diskRemedy(code));
  }
}

/** The program's path; throws `NatsServerMissing`. `searchPath` is like PATH, which is the default. */
export function findNatsServer(searchPath = process.env.PATH ?? ''): string {
  const names = process.platform === 'win32' ? ['nats-server.exe', 'nats-server.cmd'] : ['nats-server'];
  // Debian puts servers where an ordinary user's PATH does not lead.
  const folders = [...searchPath.split(path.delimiter), ...(searchPath === process.env.PATH ? SERVER_FOLDERS : [])];
  for (const folder of folders) {
    if (folder === '') continue;
    const found = names.map((name) => path.join(folder, name)).find(isProgram);
    if (found !== undefined) return found;
  }
  throw new NatsServerMissing(searchPath === (process.env.PATH ?? '') ? 'PATH' : searchPath, process.platform);
}

const SERVER_FOLDERS = process.platform === 'win32' ? [] : ['/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin'];

function isProgram(file: string): boolean {
  if (!existsSync(file) || !statSync(file).isFile()) return false;
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Checks that one may listen at `port` of loopback. Throws `PortInUse`. */
export function checkPort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () => reject(new PortInUse(port)));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}
