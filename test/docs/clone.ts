/**
 * What a reader has: a clone of the repository, with his texts, in a folder of its own. Scripts run there as he would run
 * them. All that they start carries a mark, and their temporary files have a folder, so that what is left can be told.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { markedProcesses } from '../cli/marked_processes.ts';
import { hangMs } from '../hang.ts';
import { root } from './page.ts';

const parts = ['bin', 'bench', 'configs', 'examples', 'src', 'package.json', 'tsconfig.json'];
const serverFolders = ['/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin'];
const mark = 'TROUPE_TEST_MARK';

export interface Printed {
  /** Standard output and standard error, as they come on a terminal. */
  readonly text: string;
  readonly exitCode: number | null;
}

export class Clone implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'troupe-docs-'));
  readonly #mark = randomUUID();
  readonly #services: ChildProcess[] = [];

  constructor() {
    mkdirSync(join(this.#folder, 'tmp'));
    this.renew();
  }

  /** As it was at first, but for the caches. */
  renew(): void {
    for (const name of readdirSync(this.#folder))
      if (!['tmp', 'npm', 'code'].includes(name)) rmSync(join(this.#folder, name), { recursive: true });
    for (const name of parts) cpSync(join(root, name), this.#at(name), { recursive: true });
    symlinkSync(realpathSync(join(root, 'node_modules')), this.#at('node_modules'));
    this.write('texts/mine.txt', Array.from({ length: 2000 }, (_, i) => `${i} has the square ${i * i}\n`).join(''));
  }

  /** `path` is relative to the clone. */
  write(path: string, content: string): void {
    mkdirSync(dirname(this.#at(path)), { recursive: true });
    writeFileSync(this.#at(path), content);
  }

  /** Runs a script of bash, which ends at its first command that fails. */
  run(script: string, { input = '', nodeOptions = '' } = {}): Printed {
    const { stdout, status } = spawnSync('bash', ['-ec', `exec 2>&1\n${script}`], {
      cwd: this.#at('.'),
      encoding: 'utf8',
      input,
      timeout: hangMs,
      env: { ...this.#environment, NODE_OPTIONS: nodeOptions },
    });
    return { text: stdout, exitCode: status };
  }

  /** Starts a command that does not end by itself; resolves when it has printed a line like this, or has ended. */
  async start(command: string, isReady: RegExp): Promise<void> {
    const service = spawn('bash', ['-c', `exec ${command} 2>&1`], { cwd: this.#at('.'), env: this.#environment });
    this.#services.push(service);
    for await (const line of createInterface({ input: service.stdout })) if (isReady.test(line)) break;
    service.stdout.resume();
  }

  /** Ends what `start` has started. */
  async stopServices(): Promise<void> {
    for (const service of this.#services.splice(0)) {
      const ended = new Promise((resolve) => service.once('close', resolve));
      if (service.kill()) await ended;
    }
  }

  /** Processes and temporary files that scripts have left. */
  get remains(): { processes: number[]; files: string[] } {
    return {
      processes: markedProcesses(`${mark}=${this.#mark}`),
      files: readdirSync(join(this.#folder, 'tmp')),
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }

  get #environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PATH: [dirname(process.execPath), process.env.PATH ?? '', ...serverFolders].join(delimiter),
      NO_COLOR: '1',
      NODE_OPTIONS: '',
      NODE_COMPILE_CACHE: join(this.#folder, 'code'),
      TMPDIR: join(this.#folder, 'tmp'),
      npm_config_cache: join(this.#folder, 'npm'),
      npm_config_offline: 'true',
      npm_config_update_notifier: 'false',
      [mark]: this.#mark,
    };
  }

  #at(path: string): string {
    return join(this.#folder, 'clone', path);
  }
}
