/**
 * A node process, as its launcher sees it, is started in a process group of its own, out of reach of the terminal's
 * Ctrl-C, and ends when told to, or when the pipe to it closes, whatever became of this process. That it ended
 * otherwise is reported once, with an exit report.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { isLastWord, NodeDied } from './node_errors.ts';
import { nodeNewsSchema, type NodeStartData, type NodeNews, type NodeOrder } from './node_messages.ts';

export interface NodeProcessOptions {
  /** The name of the node. */
  readonly name: string;
  /** The module that it runs; it calls `enterNode`. */
  readonly entry: URL;
  /** What its entry gets; anything that JSON takes. */
  readonly data: unknown;
  /** It ended without being told to; once. */
  readonly onDied: (error: NodeDied) => void;
  /** Each line that it writes to its standard output or error. */
  readonly onLine: (line: string) => void;
}

/** Lines kept for the report. */
const KEPT_LINES = 20;

export class NodeProcess {
  readonly name: string;
  /** Resolves when the process is gone and all that it wrote has been read. */
  readonly ended: Promise<void>;
  readonly #options: NodeProcessOptions;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  /** Kept, however much is written after it. */
  #lastWord: string | null = null;
  #news: NodeNews | null = null;
  #isTold = false;
  #hasEnded = false;

  /** Starts it; it sets itself up while this returns. */
  constructor(options: NodeProcessOptions) {
    this.#options = options;
    this.name = options.name;
    // SIGUSR1 would open a port for debuggers.
    this.#child = spawn(process.execPath, ['--disable-sigusr1', fileURLToPath(options.entry)], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      // What this process was started with (inspector, loader, a test's hooks) is not the node's.
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const { stdin, stdout, stderr, stdio } = this.#child;
    // A node that is gone already cannot be written to: its end is reported below.
    stdin?.on('error', () => undefined);
    const startData: NodeStartData = { name: options.name, data: options.data };
    stdin?.write(`${JSON.stringify(startData)}\n`);
    for (const stream of [stdout, stderr]) if (stream !== null) this.#read(stream, (line) => this.#keep(line));
    const news = stdio[3];
    if (isReadable(news)) this.#read(news, (line) => (this.#news ??= nodeNewsSchema.parse(JSON.parse(line))));
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#keep(error.message));
      this.#child.once('close', (code, signal) => {
        this.#hasEnded = true;
        if (!this.#isTold) options.onDied(this.#obituary(code, signal));
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Tells it to stop by itself; `ended` resolves when it has. */
  stop(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const order: NodeOrder = { kind: 'stop' };
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** Ends it at once. */
  kill(): void {
    this.#isTold = true;
    this.#child.kill('SIGKILL');
  }

  #read(stream: Readable, take: (line: string) => void): void {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', take);
  }

  #keep(line: string): void {
    if (isLastWord(line)) this.#lastWord ??= line;
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    this.#options.onLine(line);
  }

  #obituary(exitCode: number | null, signal: NodeJS.Signals | null): NodeDied {
    const { error: reason = null, log = [], flight = [] } = this.#news ?? {};
    const word = this.#lastWord === null || this.#lines.includes(this.#lastWord) ? [] : [this.#lastWord];
    return new NodeDied(this.name, { exitCode, signal, reason, log: [...word, ...this.#lines, ...log], flight });
  }
}

const isReadable = (stream: unknown): stream is Readable =>
  typeof stream === 'object' && stream !== null && 'readable' in stream;
