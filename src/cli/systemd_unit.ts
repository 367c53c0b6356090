/**
 * A service that its package would start as soon as it is set up, and at every boot. It is held while the package is
 * installed, and switched off afterwards; without systemd there is nothing to hold.
 */
import type { Ended, Shell } from './shell.ts';

export class SystemdUnit {
  readonly #shell: Shell;
  readonly #asRoot: readonly string[];
  readonly #name: string;

  /** `asRoot` is what goes before a command that needs root. */
  constructor(shell: Shell, asRoot: readonly string[], name: string) {
    this.#shell = shell;
    this.#asRoot = asRoot;
    this.#name = name;
  }

  /** Does `install` while the unit cannot start, then disables it. `isOff` is false if that could not be done. */
  keptOff(install: () => string | null): { readonly failure: string | null; readonly isOff: boolean } {
    const state = this.#shell.run(['systemctl', 'is-system-running']);
    if (state === null) return { failure: install(), isOff: true };
    const isRunning = state.stdout.trim() !== 'offline';
    // A masked unit cannot be started: not even for the second between being set up and being switched off.
    if (isRunning) this.#systemctl('mask', '--runtime');
    let failure: string | null;
    try {
      failure = install();
    } finally {
      if (isRunning) this.#systemctl('unmask', '--runtime');
    }
    if (failure !== null) return { failure, isOff: true };
    // Also where systemd does not run: what is installed in a container may be booted later.
    const disabled = isRunning ? this.#systemctl('disable', '--now') : this.#systemctl('disable');
    return { failure, isOff: disabled?.isOk === true };
  }

  #systemctl(...verb: readonly string[]): Ended | null {
    return this.#shell.run([...this.#asRoot, 'systemctl', ...verb, this.#name]);
  }
}
