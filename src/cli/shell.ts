/**
 * Programs of this machine, run to their end, with their words kept. Found on the PATH of the environment that it was
 * given, so a folder of stand-ins is all that a test needs.
 */
import { spawnSync } from 'node:child_process';

/** How a program ended; null in its place where there is no such program. */
export interface Ended {
  readonly isOk: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export class Shell {
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  get path(): string | undefined {
    return this.#env.PATH;
  }

  /** Waits for the program; it gets no input. Null if there is none of that name, or it may not be run. */
  run(command: readonly string[]): Ended | null {
    const [name, ...args] = command;
    const ended = spawnSync(name, args, {
      env: this.#env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 2 ** 20,
    });
    if (ended.error !== undefined) return null;
    return { isOk: ended.status === 0, stdout: ended.stdout, stderr: ended.stderr };
  }
}
