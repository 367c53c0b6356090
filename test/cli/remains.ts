/**
 * A launched command that can be looked after: all that it starts, and what they start, carries a mark in the environment
 * and has a folder of its own for temporary files, so that a test can tell what is left when it has ended.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { markedProcesses } from './marked_processes.ts';
import { at, folder, main } from './training.ts';

const mark = 'TROUPE_TEST_MARK';

export class Launched {
  readonly process: ChildProcess;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #mark = randomUUID();
  readonly #temporary = mkdtempSync(at('tmp-'));
  readonly #waiting = new Set<() => void>();

  /** `command` is what the arguments are given to; default: the source on this Node. */
  constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string | undefined>> = {},
    command: readonly string[] = [process.execPath, main],
  ) {
    const [program, ...before] = command;
    this.process = spawn(program, [...before, ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NO_COLOR: '1',
        NODE_OPTIONS: '',
        TMPDIR: this.#temporary,
        [mark]: this.#mark,
        ...environment,
      },
    });
    this.#read(this.process.stdout, this.stdout);
    this.#read(this.process.stderr, this.stderr);
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        resolve(code ?? signal);
        for (const look of this.#waiting) look();
      });
    });
  }

  /** Resolves when a line like this has been printed on standard output, or when all is over. */
  said(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        const isOver = this.process.exitCode !== null || this.process.signalCode !== null;
        if (!isOver && !this.stdout.some((line) => pattern.test(line))) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Pids of all processes that it has started, directly or not, and that live. */
  get processes(): number[] {
    return markedProcesses(`${mark}=${this.#mark}`);
  }

  /** Waits until no process is left. */
  async gone(): Promise<void> {
    while (this.processes.length > 0) await pause(20);
  }

  /** Temporary files that are left. */
  get files(): string[] {
    return readdirSync(this.#temporary);
  }

  #read(stream: NodeJS.ReadableStream | null, lines: string[]): void {
    if (stream === null) return;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const look of this.#waiting) look();
    });
  }
}

/** The pid of a node, as the run's events have it. */
export function pidOf(runDir: string, node: string): number {
  const path = at(runDir, 'events.jsonl');
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
  const events = lines.map((line) => JSON.parse(line) as { kind: string; name?: string; pid?: number });
  const started = events.findLast(({ kind, name }) => kind === 'node' && name === node);
  if (started?.pid === undefined) throw new RangeError(`${join(runDir, 'events.jsonl')} names no ${node}`);
  return started.pid;
}
