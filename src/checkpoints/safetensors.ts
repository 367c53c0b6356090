/**
 * Writing and reading safetensors files. Writing streams through one staging buffer, whatever the size of the tensors,
 * and digests on the way; reading loads the header and then only the tensors that are asked for.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { WritableFile } from './disk.ts';
import { BadTensor, CheckpointIo, DamagedCheckpoint } from './errors.ts';
import { LENGTH_BYTES, decodeHeader, encodeHeader, headerBytes } from './safetensors_header.ts';
import type { SafetensorsHeader, TensorEntry } from './safetensors_header.ts';
import { byteLength, DTYPE_BYTES } from './tensor.ts';
import type { TensorBytes, TensorHead, TensorParts } from './tensor.ts';

const STAGING_BYTES = 2 ** 20;
/** Whole elements of any dtype. */
const PART_BYTES = 2 ** 20;
const REMEDY = 'use another checkpoint, or fetch or export that file again';

/** What was written: enough to tell later whether a file is still the same. */
export interface WrittenFile {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Writes tensors to a file opened at its begin, without syncing or closing it.
 *
 * Tensors lie by falling element size, then in the given order, so that each is aligned to its elements. Throws
 * `BadTensor` before the first byte for a name given twice or data that does not fit its shape; the file's errors pass.
 */
export function writeSafetensors(
  file: WritableFile,
  tensors: readonly TensorBytes[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<WrittenFile> {
  const ordered = tensors.toSorted((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  for (const tensor of ordered) checkBytes(tensor, tensor.data.length);
  return streamSafetensors(file, ordered, ordered, metadata);
}

/**
 * The same, of tensors that come one after another while it writes, whole or in parts. `heads` tells which, in that order;
 * elements do not get larger along it. Throws `BadTensor` where what comes is not what was told; the file's and the source's errors pass.
 */
export async function streamSafetensors(
  file: WritableFile,
  heads: readonly TensorHead[],
  tensors: Iterable<TensorBytes> | AsyncIterable<TensorBytes | TensorParts>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<WrittenFile> {
  const header = encodeHeader(layOut(heads), metadata);
  const hash = createHash('sha256');
  const staging = new Uint8Array(STAGING_BYTES);
  let staged = 0;
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const chunk = staging.subarray(0, staged);
    hash.update(chunk);
    await file.write(chunk);
    bytes += staged;
    staged = 0;
  };
  const write = async (part: Uint8Array): Promise<void> => {
    for (let at = 0; at < part.length;) {
      const taken = part.subarray(at, at + STAGING_BYTES - staged);
      staging.set(taken, staged);
      staged += taken.length;
      at += taken.length;
      if (staged === STAGING_BYTES) await flush();
    }
  };
  await write(header);
  let written = 0;
  for await (const tensor of tensors) {
    checkHead(heads.at(written), tensor);
    let length = 0;
    for await (const part of 'parts' in tensor ? tensor.parts : [tensor.data]) {
      length += part.length;
      await write(part);
    }
    checkBytes(tensor, length);
    written += 1;
  }
  if (written < heads.length) {
    throw new BadTensor(heads[written].name, 'a checkpoint shard', 'it did not come', 'give all that were told');
  }
  await flush();
  return { bytes, sha256: hash.digest('hex') };
}

/** Throws `BadTensor` unless a tensor is the one told. */
function checkHead(told: TensorHead | undefined, { name, dtype, shape }: TensorHead): void {
  if (told?.name === name && told.dtype === dtype && told.shape.join() === shape.join()) return;
  throw new BadTensor(name, 'a checkpoint shard', 'it is not the one told', 'give the tensors in their order');
}

/** Throws `BadTensor` unless a tensor has all its bytes. */
function checkBytes(head: TensorHead, found: number): void {
  const { name, dtype, shape } = head;
  const wanted = byteLength(head);
  if (found === wanted) return;
  const reason = `[${shape.join(', ')}] of ${dtype} is ${wanted} bytes, not ${found}`;
  throw new BadTensor(name, 'a checkpoint shard', reason, 'give the bytes of the whole tensor');
}

function layOut(heads: readonly TensorHead[]): TensorEntry[] {
  const names = new Set<string>();
  let begin = 0;
  return heads.map((head) => {
    const { name, dtype, shape } = head;
    if (names.has(name) || name === '__metadata__') {
      throw new BadTensor(name, 'a checkpoint shard', 'its name is taken', 'give each tensor its own name');
    }
    names.add(name);
    const entry = { name, dtype, shape, begin, end: begin + byteLength(head) };
    begin = entry.end;
    return entry;
  });
}

/** A safetensors file open for reading, from any tool; close it, or hold it by `await using`. */
export class SafetensorsFile implements AsyncDisposable {
  readonly path: string;
  readonly header: SafetensorsHeader;
  readonly #handle: FileHandle;
  readonly #dataAt: number;

  private constructor(path: string, header: SafetensorsHeader, handle: FileHandle, dataAt: number) {
    this.path = path;
    this.header = header;
    this.#handle = handle;
    this.#dataAt = dataAt;
  }

  /** Opens a file and checks its header; throws `DamagedCheckpoint`, or `CheckpointIo` if it cannot be read. */
  static async open(path: string): Promise<SafetensorsFile> {
    const handle = await io(path, () => open(path, 'r'));
    try {
      const fileBytes = (await io(path, () => handle.stat())).size;
      if (fileBytes < LENGTH_BYTES) throw new DamagedCheckpoint(path, `it has only ${fileBytes} bytes`, REMEDY);
      const length = headerBytes(await readRange(handle, path, 0, LENGTH_BYTES), fileBytes, path, REMEDY);
      const dataAt = LENGTH_BYTES + length;
      const header = decodeHeader(
        await readRange(handle, path, LENGTH_BYTES, length),
        fileBytes - dataAt,
        path,
        REMEDY,
      );
      return new SafetensorsFile(path, header, handle, dataAt);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Reads one tensor into fresh memory; throws `BadTensor` if the file has none of that name. */
  async read(name: string): Promise<TensorBytes> {
    const { dtype, shape, begin, end } = this.#entry(name);
    const data = new Uint8Array(end - begin);
    await readInto(data, this.#handle, this.path, this.#dataAt + begin);
    return { name, dtype, shape, data };
  }

  /** The same a part at a time, all of them through one buffer. */
  parts(name: string): TensorParts {
    const { dtype, shape, begin, end } = this.#entry(name);
    return { name, dtype, shape, parts: this.#partsOf(begin, end) };
  }

  async *#partsOf(begin: number, end: number): AsyncGenerator<Uint8Array, void, void> {
    const buffer = new Uint8Array(Math.min(PART_BYTES, end - begin));
    for (let at = begin; at < end; at += buffer.length) {
      const part = buffer.subarray(0, end - at);
      await readInto(part, this.#handle, this.path, this.#dataAt + at);
      yield part;
    }
  }

  #entry(name: string): TensorEntry {
    const entry = this.header.entries.get(name);
    if (entry === undefined) throw new BadTensor(name, this.path, 'there is none of that name', 'check the model');
    return entry;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function readRange(handle: FileHandle, path: string, from: number, bytes: number): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  await readInto(into, handle, path, from);
  return into;
}

async function readInto(into: Uint8Array, handle: FileHandle, path: string, from: number): Promise<void> {
  for (let at = 0; at < into.length;) {
    const { bytesRead } = await io(path, () => handle.read(into, at, into.length - at, from + at));
    if (bytesRead === 0) throw new DamagedCheckpoint(path, `it ends at byte ${from + at}`, REMEDY);
    at += bytesRead;
  }
}

async function io<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new CheckpointIo(path, cause);
  }
}
