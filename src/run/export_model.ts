/**
 * Exporting makes a folder of Hugging Face's of a checkpoint: config.json, safetensors files, and the files that the model was imported
 * with. What was imported and not trained comes out as it went in. No tensor is ever in memory as a whole. `troupe export` calls it.
 */
import { join, resolve } from 'node:path';
import {
  DTYPE_BYTES,
  HF_CONFIG,
  isFloatDtype,
  readHfJson,
  roundedParts,
  type FloatDtype,
  type TensorHead,
  type TensorParts,
} from '../checkpoints/index.ts';
import type { Tokenizer } from '../data/index.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import { dtypeKey, exportedKeys, hfDtypes, isHfDtype, type HfDtype, type Original } from '../models/exported_config.ts';
import { modelConfigOf } from '../models/from_topology.ts';
import { NoHfConfig } from '../models/hugging_face/codec.ts';
import { HfConfig } from '../models/hugging_face/hf_config.ts';
import type { Keys } from '../models/hugging_face/keys.ts';
import type { Topology } from '../topology/index.ts';
import { tokenizerOf } from './corpus_specs.ts';
import { shardsOf, writeJson, writeShards } from './export_shards.ts';
import { findCheckpoint } from './find_checkpoint.ts';
import { topologyOfHf } from './hf_model.ts';
import { isImported, topologyOf } from './identity.ts';
import { interruptible } from './interruptible.ts';
import { copyKept, KEPT_FOLDER, keptFiles } from './kept_files.ts';
import { checkTensors, parametersOf } from './model_parameters.ts';
import { checkpointSource, type ModelSource } from './model_source.ts';
import { checkNew, makeNewFolder } from './new_folder.ts';
import { noTokenizer, tokenizerIn, vocabularyIn } from './vocabulary.ts';

export interface ExportOptions {
  /** A checkpoint, or a run directory, whose newest one is meant. */
  readonly checkpointDir: string;
  /** The folder to make. */
  readonly folder: string;
  /** Default: that of the folder which the model was imported from; of a new model float32. */
  readonly dtype?: HfDtype;
  /** Of a file, but where a tensor alone has more. */
  readonly shardBytes: number;
  /** Told in one line of damaged checkpoints that are passed over. */
  readonly notice: (text: string) => void;
  /** When aborted, what was written is removed, and its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Exported {
  /** The checkpoint. */
  readonly path: string;
  readonly tensors: number;
  readonly files: number;
  readonly dtype: string;
}

/**
 * Makes the folder, complete or not at all. Throws `TargetExists`, `NoCheckpoint`, `DamagedCheckpoint`, `CheckpointIo`, `NoHfConfig`,
 * `TensorsDiffer`, `BadTokenizer`, and `BadTensor` for a value that the dtype cannot hold.
 */
export async function exportModel({
  checkpointDir,
  folder,
  dtype,
  shardBytes,
  notice,
  signal = new AbortController().signal,
}: ExportOptions): Promise<Exported> {
  checkNew(folder);
  const checkpoint = await findCheckpoint(checkpointDir, notice);
  const topology = topologyOf(checkpoint);
  const runDir = resolve(checkpoint.path, '..', '..');
  checkSayable(topology);
  const tokenizer = tokenizerIn(checkpoint.manifest) === noTokenizer ? null : tokenizerOf(topology, runDir);
  const vocabulary = vocabularyIn(checkpoint, tokenizer);
  const runSpec = await runSpecOf({ topology, baseDir: runDir, vocabulary });
  const original = await originalIn(join(runDir, KEPT_FOLDER));
  const described = exportedKeys(runSpec, original);
  const source = await checkpointSource(checkpoint);
  const parameters = parametersOf(runSpec);
  checkTensors(checkpoint.path, source.heads, parameters, 'use another checkpoint of the same run');

  const said = original === null ? undefined : original.keys[dtypeKey(original.keys)];
  const word = dtype ?? (isHfDtype(said) ? said : 'float32');
  // What nobody has trained has no other values than it came with.
  const asStored = dtype === undefined && isImported(checkpoint.manifest);
  const heads = [...parameters.keys()].map((name) => headIn(source, name, asStored ? null : hfDtypes[word]));
  const shards = shardsOf(heads, shardBytes);
  const ids = original === null ? idsOf(tokenizer) : {};
  const keys = { ...described, ...ids, ...(asStored ? {} : { [dtypeKey(described)]: word }) };
  // Letter by letter, also where one number can be written in two ways.
  const isOriginal = original !== null && JSON.stringify(keys) === JSON.stringify(original.keys);
  await makeNewFolder(
    folder,
    async (partial) => {
      if (!isOriginal) await writeJson(join(partial, HF_CONFIG), keys);
      const names = isOriginal ? [HF_CONFIG, ...keptFiles] : keptFiles;
      const kept = await copyKept(keptFolderOf(topology, runDir, original), partial, names);
      if (!kept.includes('generation_config.json') && Object.keys(ids).length > 0) {
        await writeJson(join(partial, 'generation_config.json'), ids);
      }
      const ordered = shards.map(({ file, heads: own }) => ({ file, heads: own.toSorted(largerFirst) }));
      await writeShards(partial, ordered, (own) => interruptible(partsOf(source, own), signal));
    },
    signal,
  );
  return { path: checkpoint.path, tensors: heads.length, files: shards.length, dtype: asStored ? 'as imported' : word };
}

/** Throws `NoHfConfig` for what no config.json says, whatever its family. */
function checkSayable({ model, objective }: Topology): void {
  if (model.sublayers !== null) throw new NoHfConfig(model.architecture, 'model.sublayers', model.sublayers, null);
  if (objective.kind !== 'attributes') return;
  throw new NoHfConfig(model.architecture, 'objective.kind', objective.kind, 'next_token');
}

/** What a folder that was imported says in its config.json, and of which model; null where there is none. */
async function originalIn(folder: string): Promise<Original | null> {
  const file = join(folder, HF_CONFIG);
  const keys = await readHfJson(file);
  if (keys === null) return null;
  const topology = topologyOfHf(new HfConfig(file, keys));
  return { keys, topology, config: modelConfigOf(topology, topology.model.vocab_size!) };
}

/** The folder of the tokenizer, whose files go along: that of the import, or where the topology says. */
function keptFolderOf({ data }: Topology, runDir: string, original: Original | null): string {
  if (original !== null || !data.tokenizer.startsWith('hf:')) return join(runDir, KEPT_FOLDER);
  return resolve(runDir, data.tokenizer.slice('hf:'.length), '..');
}

/** Ids that generating begins and ends with. */
function idsOf(tokenizer: Tokenizer | null): Keys {
  if (tokenizer === null) return {};
  const { bos, pad } = tokenizer.specialTokens;
  return {
    ...(bos === null ? {} : { bos_token_id: bos.id }),
    eos_token_id: tokenizer.separatorId,
    ...(pad === null ? {} : { pad_token_id: pad.id }),
  };
}

const largerFirst = (a: TensorHead, b: TensorHead): number => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype];

function headIn({ heads }: ModelSource, name: string, dtype: FloatDtype | null): TensorHead {
  const head = heads.get(name)!;
  return dtype === null ? head : { ...head, dtype };
}

async function* partsOf(source: ModelSource, heads: readonly TensorHead[]): AsyncGenerator<TensorParts, void, void> {
  let at = 0;
  for await (const tensor of source.parts(heads.map(({ name }) => name))) {
    const { dtype } = heads[at++];
    yield isFloatDtype(dtype) ? roundedParts(tensor, dtype) : tensor;
  }
}
