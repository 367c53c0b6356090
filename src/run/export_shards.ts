/** Shards of an export: tensors in their order, as many in a file as its size allows, under the names that Hugging Face gives files. */
import {
  byteLength,
  CheckpointIo,
  HF_INDEX,
  HF_WEIGHTS,
  nodeDisk,
  streamSafetensors,
  type TensorHead,
  type TensorParts,
} from '../checkpoints/index.ts';
import { join } from 'node:path';

export interface ExportShard {
  readonly file: string;
  readonly heads: readonly TensorHead[];
}

/** A tensor that is larger than `mostBytes` has a file of its own. */
export function shardsOf(heads: readonly TensorHead[], mostBytes: number): ExportShard[] {
  const groups: TensorHead[][] = [];
  let room = 0;
  for (const head of heads) {
    const bytes = byteLength(head);
    if (groups.length === 0 || bytes > room) {
      groups.push([]);
      room = mostBytes;
    }
    groups[groups.length - 1].push(head);
    room -= bytes;
  }
  const number = (n: number): string => String(n).padStart(5, '0');
  return groups.map((group, i) => ({
    file: groups.length === 1 ? HF_WEIGHTS : `model-${number(i + 1)}-of-${number(groups.length)}.safetensors`,
    heads: group,
  }));
}

/** Writes the shards into a folder, and the index where there are several. Throws `CheckpointIo`, and what `parts` throws. */
export async function writeShards(
  folder: string,
  shards: readonly ExportShard[],
  parts: (heads: readonly TensorHead[]) => AsyncIterable<TensorParts>,
): Promise<void> {
  for (const { file, heads } of shards) {
    const path = join(folder, file);
    const open = await io(path, () => nodeDisk.create(path));
    try {
      await streamSafetensors(open, heads, parts(heads), { format: 'pt' });
      await io(path, () => open.sync());
    } finally {
      await open.close();
    }
  }
  if (shards.length > 1) await writeJson(join(folder, HF_INDEX), indexOf(shards));
}

function indexOf(shards: readonly ExportShard[]): object {
  const files = shards.flatMap(({ file, heads }) => heads.map(({ name }): [string, string] => [name, file]));
  const total_size = shards.flatMap(({ heads }) => heads).reduce((sum, head) => sum + byteLength(head), 0);
  return { metadata: { total_size }, weight_map: Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** Writes a JSON file as the format's own library does. Throws `CheckpointIo`. */
export async function writeJson(path: string, value: object): Promise<void> {
  await io(path, async () => {
    const file = await nodeDisk.create(path);
    try {
      await file.write(Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

async function io<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new CheckpointIo(path, cause);
  }
}
