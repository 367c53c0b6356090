/**
 * A path that a user gives for a model may lead to a run directory, to a checkpoint, or to a folder of Hugging Face's. Whatever it is,
 * a found model says what the model is and gives its parameters.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HF_CONFIG, type Checkpoint } from '../checkpoints/index.ts';
import type { Tokenizer } from '../data/index.ts';
import type { Parameter } from '../models/parameter.ts';
import { sublayersDigest } from '../models/load_sublayers.ts';
import type { Topology } from '../topology/index.ts';
import { tokenizerOf } from './corpus_specs.ts';
import { findCheckpoint } from './find_checkpoint.ts';
import { checkForeignCode } from './foreign_code.ts';
import { fittingSource, readHfConfig, tokenizerOfHf, topologyOfHf } from './hf_model.ts';
import { sublayersDigestOf, topologyOf } from './identity.ts';
import { checkTensors } from './model_parameters.ts';
import { checkpointSource, type ModelSource } from './model_source.ts';
import { digestIn, ResumeRefused } from './resume.ts';
import { noTokenizer, tokenizerIn, vocabularyIn, vocabularyOf } from './vocabulary.ts';

export interface FoundModel {
  /** Where its parameters lie. */
  readonly path: string;
  readonly topology: Topology;
  /** What relative paths in the topology start from. */
  readonly baseDir: string;
  readonly vocabulary: number;
  /** Null where nothing says which it is. */
  readonly tokenizer: Tokenizer | null;
  /** Of the module of sublayers; null where there is none. */
  readonly sublayersDigest: string | null;
  /** The gen of its checkpoint; 0 of another's. */
  readonly gen: number;
  /** Of its parameters, where its checkpoint says so. */
  readonly digest: string | null;
  /** Its parameters, which are these. Throws `TensorsDiffer`, `BadHfFolder`, `DamagedCheckpoint`, `CheckpointIo`. */
  readonly source: (parameters: ReadonlyMap<string, Parameter>) => Promise<ModelSource>;
}

export interface FindOptions {
  /** Whether a module that a checkpoint names may run. */
  readonly allowCode: boolean;
  /** Told in one line of what is passed over or left out. */
  readonly notice: (text: string) => void;
}

/** Whether a path is that of a folder of Hugging Face's, and not of a checkpoint or run. */
export const isHfFolder = (path: string): boolean =>
  existsSync(join(path, HF_CONFIG)) && !existsSync(join(path, 'manifest.json'));

/**
 * Finds the model; of its tensors nothing is read. Throws `NoCheckpoint`, `DamagedCheckpoint`, `CheckpointIo`, `CodeNotAllowed`,
 * `ResumeRefused`, `BadTokenizer`, and for a folder of Hugging Face's `BadHfFolder`, `BadHfConfig`, `ConfigError`.
 */
export async function findModel(path: string, { allowCode, notice }: FindOptions): Promise<FoundModel> {
  return isHfFolder(path)
    ? await hfModel(resolve(path), notice)
    : checkpointModel(await findCheckpoint(path, notice), allowCode);
}

async function hfModel(path: string, notice: (text: string) => void): Promise<FoundModel> {
  const topology = topologyOfHf(await readHfConfig(path), { tokenizer: tokenizerOfHf(path) });
  const tokenizer = tokenizerOfHf(path) === null ? null : tokenizerOf(topology, path);
  return {
    path,
    topology,
    baseDir: path,
    vocabulary: tokenizer === null ? topology.model.vocab_size! : vocabularyOf(topology, tokenizer),
    tokenizer,
    sublayersDigest: null,
    gen: 0,
    digest: null,
    source: (parameters) => fittingSource(path, parameters, notice),
  };
}

function checkpointModel(checkpoint: Checkpoint, allowCode: boolean): FoundModel {
  const { path, manifest } = checkpoint;
  const topology = topologyOf(checkpoint);
  // Paths in a checkpoint's topology are relative to the run directory, two folders above it.
  const baseDir = resolve(path, '..', '..');
  checkForeignCode(`checkpoint ${path}`, { topology, baseDir, isAllowed: allowCode });
  const tokenizer = tokenizerIn(manifest) === noTokenizer ? null : tokenizerOf(topology, baseDir);
  return {
    path,
    topology,
    baseDir,
    vocabulary: vocabularyIn(checkpoint, tokenizer),
    tokenizer,
    sublayersDigest: checkedSublayers(checkpoint, topology, baseDir),
    gen: manifest.gen,
    digest: digestIn(manifest),
    source: async (parameters) => {
      const source = await checkpointSource(checkpoint);
      checkTensors(path, source.heads, parameters, 'use another checkpoint of the same run');
      return source;
    },
  };
}

/** The digest of the model's module, read before anything of it runs. Throws `ResumeRefused` where it has changed. */
function checkedSublayers(checkpoint: Checkpoint, topology: Topology, baseDir: string): string | null {
  const digest = sublayersDigest(topology, baseDir);
  if (digest === sublayersDigestOf(checkpoint)) return digest;
  throw new ResumeRefused(checkpoint.path, 'the module at model.sublayers has changed since; restore it as it was', 2);
}
