/**
 * Importing makes a run directory of a folder of Hugging Face's, as if a run had been saved at step 0: one checkpoint of its tensors, as
 * they are, and what the folder says of them. No tensor is ever in memory as a whole. `troupe import` calls it.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  CheckpointStore,
  DTYPE_BYTES,
  HF_CONFIG,
  type CheckpointWriter,
  type Json,
  type ManifestFields,
  type TensorHead,
} from '../checkpoints/index.ts';
import { loadTokenizer, type Tokenizer } from '../data/index.ts';
import { runSpecOf, type RunSpec } from '../actors/placement/run_spec.ts';
import { dumpTopology, toPlain, type Override } from '../topology/index.ts';
import { tokenizerOf } from './corpus_specs.ts';
import { fittingSource, readHfConfig, tokenizerOfHf, topologyOfHf } from './hf_model.ts';
import { identityOf } from './identity.ts';
import { interruptible } from './interruptible.ts';
import { copyKept, KEPT_FOLDER, keptFiles } from './kept_files.ts';
import { parametersOf } from './model_parameters.ts';
import type { ModelSource } from './model_source.ts';
import { checkNew, makeNewFolder } from './new_folder.ts';
import { noTokenizer, vocabularyOf } from './vocabulary.ts';

export interface ImportOptions {
  /** The folder to read. */
  readonly folder: string;
  /** The run directory to make. */
  readonly runDir: string;
  /** Over the keys that config.json gives. */
  readonly overrides?: readonly Override[];
  /** Told in one line of what is left out, or not there. */
  readonly notice: (text: string) => void;
  /** When aborted, what was written is removed, and its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Imported {
  readonly tensors: number;
  readonly parameters: number;
  readonly architecture: string;
  /** Files that were carried along. */
  readonly kept: readonly string[];
}

/**
 * Makes the run directory, complete or not at all. Throws `TargetExists`, `BadHfFolder`, `BadHfConfig`, `ConfigError`, `TensorsDiffer`,
 * `BadTokenizer`, `CheckpointIo`; of a folder that is refused nothing is written.
 */
export async function importModel({
  folder,
  runDir,
  overrides = [],
  notice,
  signal = new AbortController().signal,
}: ImportOptions): Promise<Imported> {
  checkNew(runDir);
  const config = await readHfConfig(folder);
  const from = resolve(folder);
  const name =
    basename(from)
      .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '') || 'imported';
  // As a checkpoint, whose paths are those of its run directory, will have it.
  const tokenizer = tokenizerOfHf(from) === null ? null : `hf:${KEPT_FOLDER}/tokenizer.json`;
  const topology = topologyOfHf(config, { name, tokenizer, overrides });
  const isNamed = overrides.some(({ path }) => path.join('.') === 'data.tokenizer');
  const opened = isNamed ? tokenizerOf(topology, resolve(runDir)) : tokenizerIn(from);
  const vocabulary = opened === null ? topology.model.vocab_size! : vocabularyOf(topology, opened);
  const runSpec = await runSpecOf({ topology, baseDir: resolve(runDir), vocabulary });
  const source = await fittingSource(from, parametersOf(runSpec), notice);
  if (opened === null) notice(`${from} has no tokenizer.json: the run has no tokenizer, and goes by ids`);
  const kept: string[] = [];
  await makeNewFolder(
    runDir,
    async (partial) => {
      const keptIn = join(partial, KEPT_FOLDER);
      await mkdir(keptIn);
      kept.push(...(await copyKept(from, keptIn, [HF_CONFIG, ...keptFiles])));
      const store = await CheckpointStore.forWriting(join(partial, 'checkpoints'));
      const writer = await store.begin(0, 1);
      await writeTensors(writer, source, signal);
      await writer.commit(fieldsOf(runSpec, opened?.identity ?? noTokenizer));
      await writeFile(join(partial, 'config.yaml'), dumpTopology(topology), { flush: true });
    },
    signal,
  );
  const parameters = [...source.heads.values()].reduce(
    (sum, { shape }) => sum + shape.reduce((product, extent) => product * extent, 1),
    0,
  );
  return { tensors: source.heads.size, parameters, architecture: topology.model.architecture, kept };
}

/** The tokenizer of a folder; null where it has none. */
function tokenizerIn(folder: string): Tokenizer | null {
  const name = tokenizerOfHf(folder);
  return name === null ? null : loadTokenizer(name, folder);
}

/** One shard, in which larger elements come first, so that each tensor is aligned to its own. */
async function writeTensors(writer: CheckpointWriter, source: ModelSource, signal: AbortSignal): Promise<void> {
  const heads = [...source.heads.values()].sort((a: TensorHead, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  await writer.stream('imported', heads, interruptible(source.parts(heads.map(({ name }) => name)), signal));
}

function fieldsOf(runSpec: RunSpec, tokenizer: string): ManifestFields {
  const { topology, vocabulary } = runSpec;
  return {
    runId: randomUUID(),
    updateStep: 0,
    // No device and no text of ours has had a part in it.
    numericsClass: 'imported',
    corpusDigest: 'imported',
    model: { ...identityOf(runSpec), vocabulary, tokenizer },
    topology: JSON.parse(JSON.stringify(toPlain(topology))) as Json,
    extra: { imported: true },
  };
}
