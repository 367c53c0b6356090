/** Processes that all want the lock of one run directory at the same moment. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const contender = fileURLToPath(new URL('./lock_contender.ts', import.meta.url));

export class Contenders implements AsyncDisposable {
  readonly #children: readonly ChildProcess[];

  constructor(count: number) {
    this.#children = Array.from({ length: count }, () => fork(contender, { execArgv: [], stdio: 'ignore' }));
  }

  /** What each of them says when all were told to take the directory at once: `owner`, or why not. */
  async take(directory: string): Promise<string[]> {
    return await this.#all(directory);
  }

  async release(): Promise<void> {
    await this.#all('');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }),
    );
  }

  async #all(order: string): Promise<string[]> {
    const answers = this.#children.map(async (child) => {
      const [answer] = (await once(child, 'message')) as [string];
      return answer;
    });
    for (const child of this.#children) child.send(order);
    return await Promise.all(answers);
  }
}

/** An id that belonged to a process of this machine, and to none now. */
export async function deadPid(): Promise<number> {
  const child = fork(contender, { execArgv: [], stdio: 'ignore' });
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  return child.pid ?? 0;
}
