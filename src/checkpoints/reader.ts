/**
 * Tensors of a checkpoint by name, whichever shards hold them: a run that is placed differently reads the same names.
 * Each tensor is read when it is the caller's turn to take it, so memory holds one at a time; and one file is open at a time,
 * however many there are.
 */
import type { Checkpoint } from './checkpoint.ts';
import { BadTensor } from './errors.ts';
import type { TensorFiles } from './hf_folder.ts';
import { SafetensorsFile } from './safetensors.ts';
import type { TensorBytes, TensorParts } from './tensor.ts';

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
  checkpoint: TensorFiles,
  names: readonly string[],
): AsyncGenerator<TensorBytes, void, void> {
  for await (const { file, name } of openedFor(checkpoint, names)) yield await file.read(name);
}

/** The same in parts, so that no tensor is ever in memory as a whole. */
export async function* readTensorParts(
  checkpoint: TensorFiles,
  names: readonly string[],
): AsyncGenerator<TensorParts, void, void> {
  for await (const { file, name } of openedFor(checkpoint, names)) yield file.parts(name);
}

/** Each name with the file that has it, which is open until the next is asked for. */
async function* openedFor(
  { path: folder, fileOf }: TensorFiles,
  names: readonly string[],
): AsyncGenerator<{ readonly file: SafetensorsFile; readonly name: string }, void, void> {
  const asked = names.map((name) => {
    const path = fileOf.get(name);
    if (path === undefined) {
      throw new BadTensor(name, folder, 'it holds no such tensor', 'check that the model is the one it was made from');
    }
    return { name, path };
  });
  let file: SafetensorsFile | null = null;
  try {
    for (const { name, path } of asked) {
      if (file?.path !== path) {
        await file?.close();
        file = null;
        file = await SafetensorsFile.open(path);
      }
      yield { file, name };
    }
  } finally {
    await file?.close();
  }
}
