/**
 * A gzip file is read as the text in it, part by part, so that one of any size takes no memory. It may have several members,
 * one after the other or with zeros between them, as tools for parallel compression and for tapes write them.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { createGunzip, type Gunzip } from 'node:zlib';
import { codeOf } from '../system_error.ts';

const CHUNK_BYTES = 2 ** 18;

/** A file that is no gzip file, is damaged, or ends too early. */
export class BadGzip extends Error {}

export class GzipFile implements AsyncDisposable {
  readonly #parts: AsyncGenerator<Buffer, void, undefined>;
  #part: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#parts = partsOf(path);
  }

  /**
   * Puts bytes of the text into a part of the room and says how many; 0 at the end. Throws `BadGzip`, and what the file
   * system says.
   */
  async read(room: Buffer, at: number, most: number): Promise<number> {
    if (this.#part.length === 0) this.#part = (await this.#parts.next()).value ?? this.#part;
    const got = this.#part.copy(room, at, 0, most);
    this.#part = this.#part.subarray(got);
    return got;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.return();
  }
}

/** The text in parts, none of them empty. */
async function* partsOf(path: string): AsyncGenerator<Buffer, void, undefined> {
  await using file = await open(path, 'r');
  let begin = 0;
  do {
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
    const fed = feed(gunzip, file, begin);
    // Whoever reads hears of it first.
    fed.catch(() => undefined);
    try {
      for await (const part of gunzip) yield part as Buffer;
      await fed;
    } catch (error) {
      throw codeOf(error).startsWith('Z_') && error instanceof Error ? new BadGzip(error.message) : error;
    }
    begin = await afterZeros(file, begin + gunzip.bytesWritten);
  } while (begin < (await file.stat()).size);
}

/**
 * Gives it the file from a byte on, until it has enough: it ends where zeros follow a member, and takes badly what is
 * written after that.
 */
async function feed(gunzip: Gunzip, file: FileHandle, begin: number): Promise<void> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let given = 0;
  try {
    while (gunzip.bytesWritten === given) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, begin + given);
      if (bytesRead === 0) return void gunzip.end();
      given += bytesRead;
      await new Promise((resolve, reject) => {
        gunzip.write(chunk.subarray(0, bytesRead), (error) => (error ? reject(error) : resolve(null)));
      });
    }
  } catch (error) {
    gunzip.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

/** The place of the first byte from `begin` on that is not zero. */
async function afterZeros(file: FileHandle, begin: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, begin);
    const at = chunk.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
    if (at >= 0) return begin + at;
    begin += bytesRead;
    if (bytesRead === 0) return begin;
  }
}
