/**
 * Tensors of a checkpoint by name, whichever shards hold them: a run that is placed differently reads the same names.
 * Each tensor is read when it is the caller's turn to take it, so memory holds one at a time.
 */
import type { Checkpoint } from './checkpoint.ts';
import { BadTensor } from './errors.ts';
import { SafetensorsFile } from './safetensors.ts';
import type { TensorBytes } from './tensor.ts';

/** Names of all tensors of a checkpoint, sorted in code-unit order. */
export function tensorNames(checkpoint: Checkpoint): string[] {
  return [...checkpoint.fileOf.keys()].sort();
}

/**
 * Reads tensors in the order asked for, each into fresh memory.
 *
 * Throws `BadTensor` for a name that the checkpoint does not hold, before anything is read.
 */
export async function* readTensors(
  checkpoint: Checkpoint,
  names: readonly string[],
): AsyncGenerator<TensorBytes, void, void> {
  const asked = names.map((name) => {
    const path = checkpoint.fileOf.get(name);
    if (path === undefined) {
      throw new BadTensor(
        name,
        checkpoint.path,
        'it holds no such tensor',
        'check that the model is the one it was made from',
      );
    }
    return { name, path };
  });
  const open = new Map<string, SafetensorsFile>();
  try {
    for (const { name, path } of asked) {
      let file = open.get(path);
      if (file === undefined) {
        file = await SafetensorsFile.open(path);
        open.set(path, file);
      }
      yield await file.read(name);
    }
  } finally {
    for (const file of open.values()) await file.close();
  }
}
