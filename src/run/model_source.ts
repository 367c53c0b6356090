/**
 * A model source has parameters by name, whoever made them: a run begins with them. It says what it has before any of it is
 * read, so that what does not fit is refused at once; moments are no part of it.
 */
import { SafetensorsFile, readTensors, type Checkpoint, type TensorBytes } from '../checkpoints/index.ts';

export interface ModelSource {
  /** Where it lies, for messages. */
  readonly path: string;
  /** The shape of each parameter, by its name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The named parameters in this order, each when it is asked for. */
  read(names: readonly string[]): AsyncGenerator<TensorBytes, void, void>;
}

/** The parameters of a checkpoint, of which only headers are read now. Throws `DamagedCheckpoint`, `CheckpointIo`. */
export async function checkpointSource(checkpoint: Checkpoint): Promise<ModelSource> {
  const shapes = new Map<string, readonly number[]>();
  for (const path of new Set(checkpoint.fileOf.values())) {
    await using file = await SafetensorsFile.open(path);
    for (const [name, { shape }] of file.header.entries) {
      if (!isState(name, checkpoint)) shapes.set(name, shape);
    }
  }
  return { path: checkpoint.path, shapes, read: (names) => readTensors(checkpoint, names) };
}

/** What an update rule keeps of a parameter has its name, and one more word. */
function isState(name: string, { fileOf }: Checkpoint): boolean {
  const at = name.lastIndexOf('.');
  return at > 0 && fileOf.has(name.slice(0, at));
}
