/**
 * The guardian is a small process between the launcher and nats-server. It restarts a server that ends, at the same
 * port, and ends the server when the pipe from its parent closes: so a launcher that is killed leaves nothing behind.
 * Where the system offers it, a killed guardian takes the server with it too. It is run as a program, with its
 * arguments as one JSON object.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { codeOf } from '../../system_error.ts';
import {
  CONFIG_FILE,
  guardianArgsSchema,
  PORTS_DIR,
  type GuardianArgs,
  type GuardianNews,
} from './nats_guardian_port.ts';
import type { ServerRecord } from './nats_orphan.ts';
import { parsePorts } from './nats_server_config.ts';
import { lastWordsOf, type LastWords } from './nats_server_words.ts';
import { signalGroup } from './process_group.ts';

const POLL_MS = 5;
const TERMINATE_MS = 3_000;
const RESTART_MS = 100;
/** More ends than this within the period, and the guardian gives up. */
const MAX_RESTARTS = 5;
const RESTART_PERIOD_MS = 60_000;

/**
 * The garbage that nats-server lets be before it collects, in percent of what it needs. That is a few MiB, so that with the 100
 * that it has by itself it collects each time that a handful of messages with tensors has passed. What is set outside stays.
 */
const GARBAGE_PERCENT = '400';

/** A program that has the kernel end what it starts with its parent; it replaces itself by that. */
const WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL', '--'];

class Guardian {
  readonly #args: GuardianArgs;
  readonly #config: string;
  readonly #portsDir: string;
  readonly #endsMs: number[] = [];
  readonly #before: readonly string[];
  #server: ChildProcess | null = null;
  #port = 0;
  /** Where this start's part of the log begins: what an earlier one said is not why this one ended. */
  #logStart = 0;
  #ending = false;

  constructor(args: GuardianArgs) {
    this.#args = args;
    this.#config = path.join(args.workDir, CONFIG_FILE);
    this.#portsDir = path.join(args.workDir, PORTS_DIR);
    this.#before = canEndWithParent() ? WITH_PARENT : [];
  }

  start(): void {
    if (this.#ending) return;
    for (const file of this.#portsFiles()) rmSync(file, { force: true });
    // Clients come back to where the server was.
    const port = this.#port === 0 ? [] : ['-p', String(this.#port)];
    const [program, ...args] = [...this.#before, this.#args.binary, ...port, '-c', this.#config];
    const log = openSync(this.#args.logFile, this.#port === 0 ? 'w' : 'a', 0o600);
    this.#logStart = fstatSync(log).size;
    // In a group of its own: whatever it starts can be ended with it.
    const env = { GOGC: GARBAGE_PERCENT, ...process.env };
    const server = spawn(program, args, { stdio: ['ignore', 'ignore', log], detached: true, env });
    closeSync(log);
    this.#server = server;
    server.on('error', (error) => this.#ended(server, codeOf(error)));
    server.on('exit', (code, signal) => this.#ended(server, signal ?? `exit code ${code ?? 'unknown'}`));
    if (server.pid === undefined) return;
    this.#record(server.pid);
    say({ kind: 'started', pid: server.pid });
    this.#awaitPort(server, server.pid);
  }

  /** Ends nats-server, then this process. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    const pid = this.#server?.pid;
    if (pid === undefined) return this.#leave();
    signalGroup(pid, 'SIGTERM');
    setTimeout(() => signalGroup(pid, 'SIGKILL'), TERMINATE_MS);
  }

  /** Something here went wrong: says so, and ends. */
  fail(words: LastWords): void {
    say({ kind: 'failed', ...words });
    process.exitCode = 1;
    this.end();
  }

  #awaitPort(server: ChildProcess, pid: number): void {
    if (this.#server !== server) return;
    const port = this.#portsFiles()
      .map((file) => parsePorts(readFileSync(file, 'utf8')))
      .find((found) => found !== null);
    if (port === undefined) {
      setTimeout(() => this.#awaitPort(server, pid), POLL_MS);
      return;
    }
    this.#port = port;
    say({ kind: 'ready', pid, port });
  }

  #ended(server: ChildProcess, how: string): void {
    if (this.#server !== server) return;
    this.#server = null;
    if (this.#ending) return this.#leave();
    const nowMs = performance.now();
    this.#endsMs.push(nowMs);
    const words = this.#lastWords(how);
    const recent = this.#endsMs.filter((endMs) => nowMs - endMs < RESTART_PERIOD_MS).length;
    if (this.#port === 0 || recent > MAX_RESTARTS) return this.fail(words);
    say({ kind: 'restarting', reason: words.reason });
    setTimeout(() => this.start(), RESTART_MS);
  }

  /** What nats-server said last that was an error, else how it ended. */
  #lastWords(how: string): LastWords {
    const log = readFileSync(this.#args.logFile).subarray(this.#logStart).toString();
    return lastWordsOf(log) ?? { reason: `nats-server ended (${how})`, isStoreDamaged: false };
  }

  /** A disk that takes no record takes none of the rest either: that is for the server to say. */
  #record(pid: number): void {
    const { recordFile, storeDir } = this.#args;
    if (recordFile === null) return;
    const record: ServerRecord = { pid, config: this.#config, storeDir };
    try {
      writeFileSync(recordFile, `${JSON.stringify(record)}\n`);
    } catch (error) {
      process.stderr.write(`nats-server: ${recordFile} cannot be written (${codeOf(error)})\n`);
    }
  }

  #portsFiles(): string[] {
    if (!existsSync(this.#portsDir)) return [];
    return readdirSync(this.#portsDir)
      .filter((name) => name.endsWith('.ports'))
      .map((name) => path.join(this.#portsDir, name));
  }

  #leave(): void {
    const { workDir, recordFile } = this.#args;
    rmSync(workDir, { recursive: true, force: true });
    if (recordFile !== null) rmSync(recordFile, { force: true });
    process.exit();
  }
}

function canEndWithParent(): boolean {
  if (process.platform !== 'linux') return false;
  const [program, ...args] = [...WITH_PARENT, 'true'];
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function say(news: GuardianNews): void {
  process.stdout.write(`${JSON.stringify(news)}\n`);
}

const guardian = new Guardian(guardianArgsSchema.parse(JSON.parse(process.argv[2] ?? '')));
process.on('uncaughtException', (error) =>
  guardian.fail({ reason: `its guardian failed (${error.message})`, isStoreDamaged: false }),
);
// Nothing is ever written to the pipe: it ends when the parent does, whatever killed it.
process.stdin.on('end', () => guardian.end()).on('error', () => guardian.end());
process.stdin.resume();
process.stdout.on('error', () => guardian.end());
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => guardian.end());
guardian.start();
