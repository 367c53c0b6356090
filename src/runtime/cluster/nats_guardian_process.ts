/**
 * A guardian process is the guardian of a nats-server as its launcher sees it: it tells what becomes of the server, and
 * ends with it when asked to. One that does not end in time, since it is stopped or hangs, is killed, and what it
 * leaves is cleared away.
 */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../../system_error.ts';
import { CONFIG_FILE, guardianNewsSchema, type GuardianArgs, type NatsServerNews } from './nats_guardian_port.ts';
import { endOrphan } from './nats_orphan.ts';
import { endServer, killServer, type ServerProcess } from './nats_server_process.ts';
import { signalGroup } from './process_group.ts';

export class GuardianProcess {
  /** Resolves when it is gone, and its server with it, with how it ended. */
  readonly ended: Promise<string>;
  readonly #args: GuardianArgs;
  readonly #endMs: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  /** The server that was started last; null once its end was told. Before that is, its id may be a stranger's already. */
  #server: ServerProcess | null = null;

  /** `onNews` is told of all but the end of the guardian itself. `endMs`: how long it may take to end. */
  constructor(args: GuardianArgs, endMs: number, onNews: (news: NatsServerNews) => void) {
    this.#args = args;
    this.#endMs = endMs;
    const extension = path.extname(fileURLToPath(import.meta.url));
    const program = fileURLToPath(new URL(`./nats_guardian${extension}`, import.meta.url));
    // In a process group of its own, so that Ctrl-C of the terminal reaches neither it nor nats-server.
    // SIGUSR1 would open a port for debuggers.
    const child = spawn(process.execPath, ['--disable-sigusr1', program, JSON.stringify(args)], {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      // The pipe is the guardian's life line: what else this process has open does not concern it.
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const news = guardianNewsSchema.parse(JSON.parse(line));
      if (news.kind === 'started') this.#server = { pid: news.pid, config: path.join(args.workDir, CONFIG_FILE) };
      else {
        if (news.kind !== 'ready') this.#server = null;
        onNews(news);
      }
    });
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(`its guardian could not be started (${codeOf(error)})`));
      child.once('close', (code, signal) => {
        const how = `its guardian ended (${signal ?? `exit code ${code ?? 'unknown'}`})`;
        if (code === 0) return resolve(how);
        this.#clearAway().then(
          () => resolve(how),
          (error: unknown) => resolve(`${how}; ${error instanceof Error ? error.message : String(error)}`),
        );
      });
    });
    void this.ended.then(() => rmSync(args.workDir, { recursive: true, force: true, maxRetries: 5 }));
  }

  /** Ends nats-server and the guardian; resolves when both are gone. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), this.#endMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends nats-server by force; the guardian starts it again. */
  restartServer(): void {
    this.#killServer();
  }

  #killServer(): void {
    const server = this.#server;
    if (server === null) return;
    // Windows tells nobody a command line.
    if (process.platform === 'win32') signalGroup(server.pid, 'SIGKILL');
    else killServer(server);
  }

  /**
   * Clears away the server and the files that a guardian may leave which ends otherwise than with 0. Throws
   * `OrphanLives`.
   */
  async #clearAway(): Promise<void> {
    this.#killServer();
    if (this.#server !== null) await endServer(this.#server);
    // One that was started, and not told of yet.
    if (this.#args.recordFile !== null) await endOrphan(this.#args.storeDir);
  }
}
