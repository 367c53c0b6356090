/**
 * A complete checkpoint, opened: its manifest, and which shard holds which tensor. Opening verifies the size and digest
 * of every shard, so that what is read later is what was written; `readTensors` (reader.ts) gets the tensors.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCodeOf } from '../system_error.ts';
import { CheckpointIo, DamagedCheckpoint } from './errors.ts';
import { readManifest } from './manifest.ts';
import type { Manifest, Shard } from './manifest.ts';
import type { CheckpointName } from './name.ts';
import { formatName, parseName } from './name.ts';

const READ_BYTES = 2 ** 20;
const REMEDY = 'remove that checkpoint to use the one before it';

export interface Checkpoint {
  readonly name: CheckpointName;
  /** Its folder. */
  readonly path: string;
  readonly manifest: Manifest;
  /** The file of each tensor, by tensor name. */
  readonly fileOf: ReadonlyMap<string, string>;
}

/** Opens the checkpoint in `folder` and verifies all of it; throws `DamagedCheckpoint` or `CheckpointIo`. */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const manifest = await readManifest(folder);
  const name = { step: manifest.step, gen: manifest.gen };
  const claimed = parseName(basename(folder));
  if (claimed !== null && (claimed.step !== name.step || claimed.gen !== name.gen)) {
    throw new DamagedCheckpoint(folder, `its manifest is that of ${formatName(name)}`, REMEDY);
  }
  const fileOf = new Map<string, string>();
  for (const shard of manifest.shards) {
    const path = join(folder, shard.file);
    await verifyShard(path, shard);
    for (const tensor of shard.tensors) {
      if (fileOf.has(tensor)) throw new DamagedCheckpoint(path, `tensor '${tensor}' is in two shards`, REMEDY);
      fileOf.set(tensor, path);
    }
  }
  return { name, path: folder, manifest, fileOf };
}

async function verifyShard(path: string, shard: Shard): Promise<void> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size !== shard.bytes) {
      throw new DamagedCheckpoint(path, `it has ${size} bytes, its manifest says ${shard.bytes}`, REMEDY);
    }
    const hash = createHash('sha256');
    // One buffer for all of it: a stream would leave the whole file behind as garbage.
    const buffer = Buffer.alloc(Math.min(READ_BYTES, size));
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
    }
    if (hash.digest('hex') !== shard.sha256) {
      throw new DamagedCheckpoint(path, 'its content is not what its manifest says', REMEDY);
    }
  } catch (cause) {
    if (cause instanceof DamagedCheckpoint) throw cause;
    if (systemCodeOf(cause) === 'ENOENT') throw new DamagedCheckpoint(path, 'it is missing', REMEDY, cause);
    throw new CheckpointIo(path, cause);
  }
}
