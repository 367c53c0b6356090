/**
 * A folder of stand-ins for programs, to be the whole PATH of a test. Each writes its name and arguments to a log, then
 * does what its lines of shell say.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Stubs implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'troupe-stubs-'));
  readonly #log = join(this.folder, 'log');

  /** `scripts` by program name. `$DIR` is the folder; there is no other program but `env`. */
  constructor(scripts: Readonly<Record<string, string>>) {
    writeFileSync(this.#log, '');
    symlinkSync('/usr/bin/env', join(this.folder, 'env'));
    for (const [name, script] of Object.entries(scripts)) {
      const text = `#!/bin/sh\nDIR='${this.folder}'\necho "${name} $*" >> "$DIR/log"\n${script}\n`;
      writeFileSync(join(this.folder, name), text);
      chmodSync(join(this.folder, name), 0o755);
    }
  }

  /** What was called, in order: name and arguments. */
  get calls(): string[] {
    return readFileSync(this.#log, 'utf8').split('\n').slice(0, -1);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
