/**
 * The guardian of a nats-server as its launcher sees it: a process that tells what becomes of the server, and ends with it
 * when asked to. One that does not end in time, since it is stopped or hangs, is killed, and what it leaves is cleared away.
 */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../../system_error.ts';
import { guardianNewsSchema, type GuardianArgs, type NatsServerNews } from './nats_guardian_port.ts';
import { recordFileOf } from './nats_orphan.ts';
import { signalGroup } from './process_group.ts';

export class GuardianProcess {
  /** Resolves when it is gone, and its server with it, with how it ended. */
  readonly ended: Promise<string>;
  readonly #args: GuardianArgs;
  readonly #endMs: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  /** The server's process id; 0 while there is none. */
  #pid = 0;

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
      if (news.kind === 'started') this.#pid = news.pid;
      else if (news.kind === 'restarting') this.#pid = 0;
      if (news.kind !== 'started') onNews(news);
    });
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(`its guardian could not be started (${codeOf(error)})`));
      child.once('close', (code, signal) => {
        if (code !== 0) this.#clearAway();
        resolve(`its guardian ended (${signal ?? `exit code ${code ?? 'unknown'}`})`);
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
    if (this.#pid !== 0) signalGroup(this.#pid, 'SIGKILL');
  }

  /** Ending otherwise than with 0, it may have left its server and its files behind. */
  #clearAway(): void {
    if (this.#pid !== 0) signalGroup(this.#pid, 'SIGKILL');
    const { storeDir, recordFile } = this.#args;
    if (recordFile !== null) rmSync(recordFileOf(storeDir), { force: true });
  }
}
