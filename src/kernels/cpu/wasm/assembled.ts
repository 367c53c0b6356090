/**
 * A store of assembled modules keeps their code on disk by the digest of their text, beside what Node itself keeps
 * compiled: to load the toolkit and to assemble takes a process, and each of its workers, a quarter of a second of
 * processor time at every start. An entry is the digest of the code, and the code.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DIGEST_BYTES = 32;

const sha256 = (data: string | Uint8Array): Buffer => createHash('sha256').update(data).digest();

export class AssembledModules {
  readonly #folder: string | undefined;

  /** Without a folder nothing is kept. */
  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  /** The code of a text: what is kept, or what `assemble` makes, which is then kept. Throws what that throws. */
  async codeOf(text: string, assemble: () => Promise<Uint8Array>): Promise<Uint8Array> {
    if (this.#folder === undefined) return await assemble();
    const path = join(this.#folder, `${sha256(text).toString('hex')}.wasm`);
    const kept = read(path);
    if (kept !== null) return kept;
    const code = await assemble();
    write(path, code);
    return code;
  }
}

/** Null where there is no such file, or one that was damaged or cut short. */
function read(path: string): Uint8Array | null {
  let entry: Buffer;
  try {
    entry = readFileSync(path);
  } catch {
    return null; // Whatever the reason: it is assembled.
  }
  const code = entry.subarray(DIGEST_BYTES);
  return sha256(code).equals(entry.subarray(0, DIGEST_BYTES)) ? code : null;
}

/** Whole or not at all; other threads and processes may write the same at once. */
function write(path: string, code: Uint8Array): void {
  const part = `${path}.${randomUUID()}`;
  try {
    writeFileSync(part, Buffer.concat([sha256(code), code]));
    renameSync(part, path);
  } catch {
    // Where nothing can be kept, each start assembles.
    remove(part);
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It is where nothing could be made either.
  }
}
