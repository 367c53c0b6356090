/**
 * Debian's package manager, as far as a few packages need it: installing, and finding in its many words the one line that
 * says why it could not.
 */
import type { Ended, Shell } from './shell.ts';

// A fresh machine may be installing its updates; without a limit apt-get gives up at once.
const options = ['-o', 'DPkg::Lock::Timeout=120'];
// A list that cannot be fetched is only a warning by default, and the install then fails for a reason that is none.
const updateOptions = [...options, '-o', 'APT::Update::Error-Mode=any'];

export class Apt {
  readonly #shell: Shell;
  readonly #asRoot: readonly string[];

  /** `asRoot` is what goes before a command that needs root: nothing, or `sudo -n`. */
  constructor(shell: Shell, asRoot: readonly string[]) {
    this.#shell = shell;
    this.#asRoot = asRoot;
  }

  static isIn(shell: Shell): boolean {
    return shell.run(['apt-get', '--version']) !== null;
  }

  /**
   * Installs packages, of the suite `from` if one is given; updates the lists of packages first where it fails without.
   * Null, or why it could not.
   */
  install(names: readonly string[], from: string | null = null): string | null {
    const suite = from === null ? [] : ['--target-release', from];
    const install = ['install', '--yes', '--no-install-recommends', ...options, ...suite, ...names];
    if (this.#run(install)?.isOk === true) return null;
    const update = this.#run(['update', ...updateOptions]);
    const second = this.#run(install);
    if (second?.isOk === true) return null;
    return reasonOf(update, second);
  }

  #run(args: readonly string[]): Ended | null {
    // By `env`, since sudo passes no environment on. Errors are looked for in English.
    const env = ['env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C'];
    return this.#shell.run([...this.#asRoot, ...env, 'apt-get', ...args]);
  }
}

/** Why a package is not there, by the last word of its install, or by what kept the lists from being fetched. */
export function reasonOf(update: Ended | null, install: Ended | null): string {
  const last = install === null ? undefined : errorOf(install);
  // No such package is what an apt-get says that has never seen a list.
  const isUnknown = last === undefined || /unable to locate|no installation candidate/i.test(last);
  const unfetched = isUnknown && update?.isOk === false ? errorOf(update) : undefined;
  return unfetched ?? last ?? 'apt-get ended without saying why';
}

/** What could not be fetched, else the last error. */
function errorOf({ stderr }: Ended): string | undefined {
  const errors = stderr.split('\n').filter((line) => line.startsWith('E: '));
  const line = errors.find((error) => error.includes('Failed to fetch')) ?? errors.at(-1);
  return line?.replaceAll(/\s+/g, ' ').trim();
}
