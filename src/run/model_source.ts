/**
 * A model source has parameters by name, whoever made them: a run begins with them. It says what it has before any of it is
 * read, so that what does not fit is refused at once; moments are no part of it.
 */
import {
  readTensorParts,
  readTensors,
  SafetensorsFile,
  type Checkpoint,
  type HfTensors,
  type TensorBytes,
  type TensorHead,
  type TensorParts,
} from '../checkpoints/index.ts';

export interface ModelSource {
  /** Where it lies, for messages. */
  readonly path: string;
  /** Shape and dtype of each parameter, by its name. */
  readonly heads: ReadonlyMap<string, TensorHead>;
  /** The named parameters in this order, each when it is asked for. */
  read(names: readonly string[]): AsyncGenerator<TensorBytes, void, void>;
  /** The same in parts, so that none is in memory as a whole. */
  parts(names: readonly string[]): AsyncGenerator<TensorParts, void, void>;
}

/** The tensors of a folder of Hugging Face's, all or those named. */
export const hfSource = (tensors: HfTensors, names: readonly string[] = [...tensors.heads.keys()]): ModelSource => ({
  path: tensors.path,
  heads: new Map(names.map((name) => [name, tensors.heads.get(name)!])),
  read: (wanted) => readTensors(tensors, wanted),
  parts: (wanted) => readTensorParts(tensors, wanted),
});

/** The parameters of a checkpoint, of which only headers are read now. Throws `DamagedCheckpoint`, `CheckpointIo`. */
export async function checkpointSource(checkpoint: Checkpoint): Promise<ModelSource> {
  const heads = new Map<string, TensorHead>();
  for (const path of new Set(checkpoint.fileOf.values())) {
    await using file = await SafetensorsFile.open(path);
    for (const [name, { dtype, shape }] of file.header.entries) {
      if (!isState(name, checkpoint)) heads.set(name, { name, dtype, shape });
    }
  }
  return {
    path: checkpoint.path,
    heads,
    read: (names) => readTensors(checkpoint, names),
    parts: (names) => readTensorParts(checkpoint, names),
  };
}

/** What an update rule keeps of a parameter has its name, and one more word. */
function isState(name: string, { fileOf }: Checkpoint): boolean {
  const at = name.lastIndexOf('.');
  return at > 0 && fileOf.has(name.slice(0, at));
}
