/**
 * A nats-server of our own, on loopback: found on PATH, started with a random token and a store of its own, watched by a
 * guardian process, out of reach of the terminal's Ctrl-C. It ends with `close`, or when this process does.
 */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../../system_error.ts';
import type { NatsAddress } from '../transport/nats_connection.ts';
import {
  CONFIG_FILE,
  guardianNewsSchema,
  PORTS_DIR,
  type GuardianArgs,
  type GuardianNews,
} from './nats_guardian_port.ts';
import { formatConfig } from './nats_server_config.ts';
import { NatsServerFailed, NatsServerMissing, PortInUse } from './nats_server_errors.ts';

export interface NatsServerOptions {
  /** Keeps streams over the life of a run; default: a temporary one, removed at the end. */
  readonly storeDir?: string;
  /** Default: any free one. */
  readonly port?: number;
  readonly maxPayloadBytes?: number;
  readonly maxPendingBytes?: number;
  /** Where to look; default: PATH. */
  readonly searchPath?: string;
  /** nats-server ended and is started again, or (`failed`, once) will not be. */
  readonly onNews?: NewsListener;
}

const MAX_PAYLOAD_BYTES = 2 ** 20;
const MAX_PENDING_BYTES = 256 * 2 ** 20;

type NewsListener = (news: GuardianNews) => void;
type ReadyNews = Extract<GuardianNews, { kind: 'ready' }>;
type GuardianProcess = ChildProcessByStdio<Writable, Readable, null>;

export class NatsServer {
  /** Give it to nodes by the environment or a 0600 file, never in argv. */
  readonly address: NatsAddress;
  readonly port: number;
  readonly #guardian: GuardianProcess;
  readonly #onNews: NewsListener;
  readonly #ended: Promise<void>;
  #pid: number;
  #state: GuardianNews['kind'] | 'closing' = 'ready';

  private constructor(
    guardian: GuardianProcess,
    { ready, token, workDir, onNews }: { ready: ReadyNews; token: string; workDir: string; onNews: NewsListener },
  ) {
    this.#guardian = guardian;
    this.#onNews = onNews;
    this.#pid = ready.pid;
    this.port = ready.port;
    this.address = { url: `nats://127.0.0.1:${ready.port}`, token };
    this.#ended = new Promise((resolve) => {
      guardian.once('close', (code, signal) => {
        // Ending otherwise than with 0, it may have left its server and its files behind.
        if (code !== 0) {
          if (this.#state !== 'restarting' && this.#state !== 'failed') endProcess(this.#pid);
          rmSync(workDir, { recursive: true, force: true, maxRetries: 5 });
        }
        this.#heard({ kind: 'failed', reason: `its guardian ended (${signal ?? `exit code ${code ?? 'unknown'}`})` });
        resolve();
      });
    });
  }

  /** Starts one and waits until it listens. Throws `NatsServerMissing`, `PortInUse`, `NatsServerFailed`. */
  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const { port = -1, onNews = () => undefined } = options;
    const binary = findNatsServer(options.searchPath);
    if (port > 0) await checkPort(port);
    const workDir = makeWorkDir();
    const token = randomBytes(24).toString('base64url');
    const storeDir = options.storeDir ?? path.join(workDir, 'store');
    const portsDir = path.join(workDir, PORTS_DIR);
    const maxPayloadBytes = options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES;
    const maxPendingBytes = Math.max(options.maxPendingBytes ?? MAX_PENDING_BYTES, maxPayloadBytes);
    const config = formatConfig({ port, token, storeDir, portsDir, maxPayloadBytes, maxPendingBytes });
    writeFileSync(path.join(workDir, CONFIG_FILE), config, { mode: 0o600 });
    const guardian = startGuardian({ binary, workDir, scratchDirs: [workDir] });
    return new Promise((resolve, reject) => {
      let server: NatsServer | null = null;
      createInterface({ input: guardian.stdout }).on('line', (line) => {
        const news = guardianNewsSchema.parse(JSON.parse(line));
        if (server !== null) server.#heard(news);
        else if (news.kind === 'ready')
          resolve((server = new NatsServer(guardian, { ready: news, token, workDir, onNews })));
        else reject(new NatsServerFailed(binary, news.reason));
      });
      guardian.once('close', () => reject(new NatsServerFailed(binary, 'its guardian ended')));
    });
  }

  /** The process id of nats-server itself. */
  get pid(): number {
    return this.#pid;
  }

  /** Ends nats-server, and waits until it has ended. */
  async close(): Promise<void> {
    this.#state = 'closing';
    this.#guardian.stdin.end();
    await this.#ended;
  }

  /** Nothing is news after the end. */
  #heard(news: GuardianNews): void {
    if (this.#state === 'closing' || this.#state === 'failed') return;
    this.#state = news.kind;
    if (news.kind === 'ready') this.#pid = news.pid;
    this.#onNews(news);
  }
}

/** A new folder with one for ports in it. Throws `NatsServerFailed`. */
function makeWorkDir(): string {
  try {
    const workDir = mkdtempSync(path.join(os.tmpdir(), 'troupe-nats-'));
    mkdirSync(path.join(workDir, PORTS_DIR));
    return workDir;
  } catch (error) {
    const code = codeOf(error);
    const reason = `nothing can be written below ${os.tmpdir()} (${code})`;
    throw new NatsServerFailed('nats-server', reason, 'set TMPDIR to a folder that can be written');
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already, which is what is wanted.
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

/** Throws `PortInUse` if nobody may listen at `port` of loopback. */
export function checkPort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () => reject(new PortInUse(port)));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}

/** In a process group of its own, so that Ctrl-C of the terminal reaches neither it nor nats-server. */
function startGuardian(args: GuardianArgs): GuardianProcess {
  const extension = path.extname(fileURLToPath(import.meta.url));
  const program = fileURLToPath(new URL(`./nats_guardian${extension}`, import.meta.url));
  return spawn(process.execPath, [program, JSON.stringify(args)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    // The pipe is the guardian's life line: what else this process has open does not concern it.
    env: { ...process.env, NODE_OPTIONS: '' },
  });
}
