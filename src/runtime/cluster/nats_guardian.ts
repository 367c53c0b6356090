/**
 * A small process between the launcher and nats-server. It restarts a server that ends, at the same port, and ends the
 * server when the pipe from its parent closes: so a launcher that is killed leaves nothing behind. Run as a program, with
 * its arguments as one JSON object.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  CONFIG_FILE,
  guardianArgsSchema,
  PORTS_DIR,
  type GuardianArgs,
  type GuardianNews,
} from './nats_guardian_port.ts';
import { parsePorts } from './nats_server_config.ts';

const POLL_MS = 5;
const TERMINATE_MS = 3_000;
const RESTART_MS = 100;
/** More ends than this within the period, and the guardian gives up. */
const MAX_RESTARTS = 5;
const RESTART_PERIOD_MS = 60_000;
/** Of what nats-server wrote last. */
const KEPT_TEXT = 4_096;

class Guardian {
  readonly #args: GuardianArgs;
  readonly #config: string;
  readonly #portsDir: string;
  readonly #endsMs: number[] = [];
  #server: ChildProcess | null = null;
  #port = 0;
  #ending = false;
  #said = '';

  constructor(args: GuardianArgs) {
    this.#args = args;
    this.#config = path.join(args.workDir, CONFIG_FILE);
    this.#portsDir = path.join(args.workDir, PORTS_DIR);
  }

  start(): void {
    if (this.#ending) return;
    for (const file of this.#portsFiles()) rmSync(file, { force: true });
    const server = spawn(this.#args.binary, ['-c', this.#config], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#server = server;
    this.#said = '';
    server.stderr.on('data', (text: Buffer) => (this.#said = (this.#said + text.toString()).slice(-KEPT_TEXT)));
    server.on('error', (error) => (this.#said += error.message));
    server.on('close', (code, signal) => this.#ended(server, signal ?? `exit code ${code ?? 'unknown'}`));
    this.#awaitPort(server);
  }

  /** Ends nats-server, then this process. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    const server = this.#server;
    if (server === null) return this.#leave();
    server.kill('SIGTERM');
    setTimeout(() => server.kill('SIGKILL'), TERMINATE_MS);
  }

  #awaitPort(server: ChildProcess): void {
    if (this.#server !== server) return;
    const port = this.#portsFiles()
      .map((file) => parsePorts(readFileSync(file, 'utf8')))
      .find((found) => found !== null);
    if (port === undefined) {
      setTimeout(() => this.#awaitPort(server), POLL_MS);
      return;
    }
    if (this.#port === 0) this.#keepPort(port);
    say({ kind: 'ready', pid: server.pid ?? 0, port });
  }

  /** Clients come back to where the server was. */
  #keepPort(port: number): void {
    this.#port = port;
    const text = readFileSync(this.#config, 'utf8').replace(/^port: .*$/m, `port: ${port}`);
    writeFileSync(this.#config, text, { mode: 0o600 });
  }

  #ended(server: ChildProcess, how: string): void {
    if (this.#server !== server) return;
    this.#server = null;
    if (this.#ending) return this.#leave();
    const nowMs = performance.now();
    this.#endsMs.push(nowMs);
    const reason = this.#reason(how);
    const recent = this.#endsMs.filter((endMs) => nowMs - endMs < RESTART_PERIOD_MS).length;
    if (this.#port === 0 || recent > MAX_RESTARTS) {
      say({ kind: 'failed', reason });
      process.exitCode = 1;
      return this.#leave();
    }
    say({ kind: 'restarting', reason });
    setTimeout(() => this.start(), RESTART_MS);
  }

  /** What nats-server said last that was an error, else how it ended. */
  #reason(how: string): string {
    const fatal = this.#said.split('\n').findLast((line) => / \[FTL\] /.test(line) || line.startsWith('nats-server: '));
    return fatal === undefined ? `nats-server ended (${how})` : fatal.replace(/^.*\[FTL\] /, '');
  }

  #portsFiles(): string[] {
    if (!existsSync(this.#portsDir)) return [];
    return readdirSync(this.#portsDir)
      .filter((name) => name.endsWith('.ports'))
      .map((name) => path.join(this.#portsDir, name));
  }

  #leave(): void {
    for (const directory of this.#args.scratchDirs) rmSync(directory, { recursive: true, force: true });
    process.exit();
  }
}

function say(news: GuardianNews): void {
  process.stdout.write(`${JSON.stringify(news)}\n`);
}

const guardian = new Guardian(guardianArgsSchema.parse(JSON.parse(process.argv[2] ?? '')));
// Nothing is ever written to the pipe: it ends when the parent does, whatever killed it.
process.stdin.on('end', () => guardian.end()).on('error', () => guardian.end());
process.stdin.resume();
process.stdout.on('error', () => guardian.end());
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => guardian.end());
guardian.start();
