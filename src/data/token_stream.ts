/**
 * The token ids of a corpus, read where they are wanted: a run looks at a few windows a step, so a corpus of any size takes
 * no memory. Little-endian on disk, as typed arrays are on every platform that Node runs on here.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DamagedPack } from './errors.ts';
import { tokenBytes } from './tokenizers/tokenizer.ts';
import type { TokenDtype, TokenIds } from './tokenizers/tokenizer.ts';

export interface TokenStream {
  /** Ids `[begin, end)`, which must lie in the stream. */
  read(begin: number, end: number): TokenIds;
}

export function memoryStream(tokens: TokenIds): TokenStream {
  return { read: (begin, end) => tokens.subarray(begin, end) };
}

const CHUNK_BYTES = 2 ** 20;

/** A stream file, opened for every read: nobody has to close it, and a replaced one has the same content. */
export class FileStream implements TokenStream {
  readonly #path: string;
  readonly #dtype: TokenDtype;

  constructor(path: string, dtype: TokenDtype) {
    this.#path = path;
    this.#dtype = dtype;
  }

  /** Throws `DamagedPack` where the file is gone or ends before `end`. */
  read(begin: number, end: number): TokenIds {
    const width = tokenBytes(this.#dtype);
    const bytes = new Uint8Array((end - begin) * width);
    this.#opened((file) => this.#fill(file, bytes, begin * width));
    return viewOf(bytes, this.#dtype);
  }

  /** Reads all of it once, with `saw` called at every part; throws `DamagedPack` unless it has `tokens` ids and the hash. */
  verify(tokens: number, sha256: string, saw: () => void): void {
    const wanted = tokens * tokenBytes(this.#dtype);
    const hash = createHash('sha256');
    this.#opened((file) => {
      const found = fstatSync(file).size;
      if (found !== wanted) throw new DamagedPack(this.#path, `it has ${found} bytes, not ${wanted}`);
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, wanted));
      for (let at = 0; at < wanted; at += chunk.length) {
        const part = chunk.subarray(0, Math.min(chunk.length, wanted - at));
        this.#fill(file, part, at);
        hash.update(part);
        saw();
      }
    });
    if (hash.digest('hex') !== sha256) throw new DamagedPack(this.#path, 'its content is not what its index says');
  }

  #opened(action: (file: number) => void): void {
    let file: number;
    try {
      file = openSync(this.#path, 'r');
    } catch (cause) {
      throw new DamagedPack(this.#path, 'it cannot be opened', cause);
    }
    try {
      action(file);
    } finally {
      closeSync(file);
    }
  }

  #fill(file: number, bytes: Uint8Array, from: number): void {
    for (let at = 0; at < bytes.length;) {
      const got = readSync(file, bytes, at, bytes.length - at, from + at);
      if (got === 0) throw new DamagedPack(this.#path, `it ends at byte ${from + at}`);
      at += got;
    }
  }
}

function viewOf(bytes: Uint8Array<ArrayBuffer>, dtype: TokenDtype): TokenIds {
  if (dtype === 'u8') return bytes;
  return dtype === 'u16' ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
}
