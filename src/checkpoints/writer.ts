/**
 * One checkpoint being written. Shards go into a folder whose name says that it is partial; only `commit` gives it its
 * real name, after everything in it is on disk. Until then a crash leaves nothing that looks like a checkpoint.
 */
import { join } from 'node:path';
import { systemCodeOf } from '../system_error.ts';
import { writeDurably } from './disk.ts';
import type { Disk, WritableFile } from './disk.ts';
import { BadTensor, CheckpointExists, CheckpointIo } from './errors.ts';
import { MANIFEST_FILE, encodeManifest, shardSchema } from './manifest.ts';
import type { ManifestFields, Shard } from './manifest.ts';
import { PARTIAL, formatName } from './name.ts';
import type { CheckpointName } from './name.ts';
import { streamSafetensors, writeSafetensors } from './safetensors.ts';
import type { WrittenFile } from './safetensors.ts';
import type { TensorBytes, TensorHead, TensorParts } from './tensor.ts';

export class CheckpointWriter {
  readonly name: CheckpointName;
  /** The folder that the checkpoint will have. */
  readonly path: string;
  readonly #disk: Disk;
  readonly #partial: string;
  readonly #committed: (name: CheckpointName) => Promise<void>;
  readonly #shards: Shard[] = [];
  readonly #holderOf = new Map<string, string>();
  #unfinished = 0;
  #state: 'open' | 'committed' | 'abandoned' = 'open';

  /** Over a partial folder that is there and empty; `committed` is called once the folder has its name. */
  constructor(disk: Disk, dir: string, name: CheckpointName, committed: (name: CheckpointName) => Promise<void>) {
    this.name = name;
    this.path = join(dir, formatName(name));
    this.#disk = disk;
    this.#partial = this.path + PARTIAL;
    this.#committed = committed;
  }

  /**
   * Writes `<shard>.safetensors` and syncs it; shards may be written at the same time.
   *
   * Throws `BadTensor` for a shard or tensor name taken before, or data that does not fit its shape, and `CheckpointIo`.
   */
  shard(
    shard: string,
    tensors: readonly TensorBytes[],
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    return this.#write(shard, tensors, (file) => writeSafetensors(file, tensors, metadata));
  }

  /** The same, of tensors that come while it is written: `heads` tells which, in order. Errors of their source pass. */
  async stream(
    shard: string,
    heads: readonly TensorHead[],
    tensors: AsyncIterable<TensorBytes | TensorParts>,
  ): Promise<void> {
    const source = new Source(tensors);
    try {
      await this.#write(shard, heads, (file) => streamSafetensors(file, heads, source.tensors()));
    } catch (error) {
      throw source.failure?.error ?? error;
    }
  }

  async #write(
    shard: string,
    tensors: readonly TensorHead[],
    write: (file: WritableFile) => Promise<WrittenFile>,
  ): Promise<void> {
    this.#assertOpen();
    const file = `${shard}.safetensors`;
    if (!shardSchema.shape.file.safeParse(file).success) throw new RangeError(`'${shard}' is no name for a shard`);
    for (const { name } of tensors) {
      const holder = this.#holderOf.get(name);
      if (holder !== undefined) {
        throw new BadTensor(name, file, `it is in ${holder} already`, 'give each tensor its own name');
      }
    }
    for (const { name } of tensors) this.#holderOf.set(name, file);
    this.#unfinished++;
    const written = await this.#io(join(this.#partial, file), async (path) => {
      const open = await this.#disk.create(path);
      try {
        const written = await write(open);
        await open.sync();
        return written;
      } finally {
        await open.close();
      }
    });
    this.#shards.push({ file, ...written, tensors: tensors.map((tensor) => tensor.name) });
    this.#unfinished--;
  }

  /**
   * Makes the checkpoint complete: manifest, name, pointer. After it returns the checkpoint survives a loss of power.
   *
   * Throws `CheckpointIo`, or `CheckpointExists` if another has that name by now; then nothing has changed, or the
   * checkpoint is complete and only the pointer `latest.json` still names the one before.
   */
  async commit(fields: ManifestFields): Promise<void> {
    this.#assertOpen();
    if (this.#unfinished > 0) {
      throw new RangeError(
        `checkpoint ${this.path}: ${this.#unfinished} shards failed or are being written; abandon it`,
      );
    }
    const shards = this.#shards.toSorted((a, b) => (a.file < b.file ? -1 : 1));
    const manifest = encodeManifest({ ...this.name, ...fields, shards });
    await this.#io(this.#partial, () => writeDurably(this.#disk, this.#partial, MANIFEST_FILE, manifest));
    await this.#io(this.path, async (path) => {
      await this.#disk.rename(this.#partial, path);
      this.#state = 'committed';
      await this.#disk.syncFolder(join(path, '..'));
    });
    await this.#committed(this.name);
  }

  /** Removes what was written, if it is not committed; may be called at any time and again. */
  async abandon(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'abandoned';
    await this.#io(this.#partial, (path) => this.#disk.remove(path));
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw new RangeError(`checkpoint ${this.path} is ${this.#state} already`);
  }

  async #io<T>(path: string, action: (path: string) => Promise<T>): Promise<T> {
    try {
      return await action(path);
    } catch (cause) {
      if (cause instanceof BadTensor) throw cause;
      const code = systemCodeOf(cause);
      if (code === 'EEXIST' || code === 'ENOTEMPTY') throw new CheckpointExists(path);
      throw new CheckpointIo(path, cause);
    }
  }
}

/** Where the tensors of a shard come from. That it failed is told apart from a disk that did. */
class Source {
  failure: { readonly error: unknown } | null = null;
  readonly #tensors: AsyncIterable<TensorBytes | TensorParts>;

  constructor(tensors: AsyncIterable<TensorBytes | TensorParts>) {
    this.#tensors = tensors;
  }

  async *tensors(): AsyncGenerator<TensorBytes | TensorParts, void, void> {
    try {
      for await (const tensor of this.#tensors) {
        yield 'parts' in tensor ? { ...tensor, parts: this.#partsOf(tensor.parts) } : tensor;
      }
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  async *#partsOf(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    try {
      for await (const part of parts) yield part;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}
