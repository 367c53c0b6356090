/**
 * The starting point of a run is the model that it begins with, where its topology has `from`: parameters of another run, or of a
 * folder of Hugging Face's, and nothing else of it. Step, moments, learning rate and data are those of a new run. What the source does
 * not have, such as an objective's own head, begins as in a new model; what it has too much is left out.
 */
import { resolve } from 'node:path';
import { DamagedCheckpoint, openHfTensors } from '../checkpoints/index.ts';
import { loadTokenizer, type Tokenizer } from '../data/index.ts';
import type { ModelConfig } from '../models/config.ts';
import { modelConfigOf } from '../models/from_topology.ts';
import type { Parameter } from '../models/parameter.ts';
import type { Topology } from '../topology/index.ts';
import { paramsDigest } from '../actors/parameters/params_digest.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { differencesOf } from './config_differences.ts';
import { findCheckpoint, findManifest } from './find_checkpoint.ts';
import { handOut, patienceMs } from './hand_out.ts';
import { readHfConfig, tokenizerOfHf, topologyOfHf } from './hf_model.ts';
import { namesInLine, parametersOf } from './model_parameters.ts';
import { checkpointSource, hfSource, type ModelSource } from './model_source.ts';
import { digestIn } from './resume.ts';
import type { Run } from './run.ts';
import { tokenizerIn, vocabularySaidBy } from './vocabulary.ts';

/** The model at `from` cannot be what this run begins with. */
export class SourceRefused extends Error {
  readonly tag = 'SourceRefused';
  readonly exitCode = 2;
  constructor(path: string, what: string) {
    super(`from ${path}: ${what}`);
    this.name = 'SourceRefused';
  }
}

export interface StartingPoint {
  readonly source: ModelSource;
  /** Steps that the source had been trained for. */
  readonly step: number;
  /** Of its parameters, as its checkpoint says; null where it does not. */
  readonly digest: string | null;
  /** Names of parameters that the source lacks, and of those that this model lacks. */
  readonly fresh: readonly string[];
  readonly left: readonly string[];
}

/** The folder of Hugging Face's that `from` names, as `hf:DIR`; null where it names a run or a checkpoint. */
const hfFolderOf = (from: string, baseDir: string): string | null =>
  from.startsWith('hf:') ? resolve(baseDir, from.slice('hf:'.length)) : null;

/**
 * Whether there is something to begin with at `from`, as far as a manifest or a config.json says. Throws `NoCheckpoint`,
 * `DamagedCheckpoint`, `BadHfFolder`, `BadHfConfig`, `ConfigError`.
 */
export async function checkStart({ from }: Pick<Topology, 'from'>, baseDir: string): Promise<void> {
  if (from === null) return;
  const folder = hfFolderOf(from, baseDir);
  if (folder === null) await findManifest(resolve(baseDir, from));
  else topologyOfHf(await readHfConfig(folder));
}

/**
 * What a new run begins with, and `notice` hears of in a few lines; null where that is its own initial values. Nothing but
 * headers is read, and no module that the source names is run. Throws `NoCheckpoint`, `DamagedCheckpoint`, `CheckpointIo`,
 * `BadHfFolder`, `BadHfConfig`, `SourceRefused`.
 */
export async function startingPointOf(
  runSpec: RunSpec,
  tokenizer: Pick<Tokenizer, 'identity' | 'vocabSize'>,
  notice: (text: string) => void,
): Promise<StartingPoint | null> {
  const { topology, baseDir, vocabulary } = runSpec;
  if (topology.from === null) return null;
  const folder = hfFolderOf(topology.from, baseDir);
  const {
    source,
    what,
    vocabulary: said,
    tokenizer: itsOwn,
    ...known
  } = folder === null
    ? await checkpointAt(resolve(baseDir, topology.from), notice)
    : await hfFolderAt(folder, runSpec.config, notice);
  const { path } = source;
  checkVocabulary({ path, said }, vocabulary, tokenizer);
  const { fresh, left } = compare(source, parametersOf(runSpec));
  notice(`begins with ${what}`);
  if (fresh.length > 0) notice(`${path} does not have ${namesInLine(fresh)}: as in a new model`);
  if (left.length > 0) notice(`this model does not have ${namesInLine(left)} of ${path}: left out`);
  if (itsOwn !== null && itsOwn !== tokenizer.identity) {
    notice(
      `${path} was trained with another tokenizer, or without the tokens of chats: what its ids mean otherwise is learnt anew`,
    );
  }
  return { source, ...known, fresh, left };
}

/** What a source says of itself. */
interface Said extends Pick<StartingPoint, 'source' | 'step' | 'digest'> {
  /** In words. */
  readonly what: string;
  /** Null where it does not say. */
  readonly vocabulary: number | null;
  /** Identity of its tokenizer; null where it does not say. */
  readonly tokenizer: string | null;
}

async function checkpointAt(path: string, notice: (text: string) => void): Promise<Said> {
  const checkpoint = await findCheckpoint(path, notice);
  const { manifest } = checkpoint;
  return {
    source: await checkpointSource(checkpoint),
    step: manifest.step,
    digest: digestIn(manifest),
    what: `the parameters of step ${manifest.step} of ${checkpoint.path}`,
    vocabulary: vocabularySaidBy(manifest),
    tokenizer: tokenizerIn(manifest),
  };
}

async function hfFolderAt(path: string, config: ModelConfig, notice: (text: string) => void): Promise<Said> {
  const topology = topologyOfHf(await readHfConfig(path));
  const source = hfSource(await openHfTensors(path));
  const vocabulary = topology.model.vocab_size;
  const { computed, trained } = differencesOf(modelConfigOf(topology, config.vocab_size), config);
  if (computed.length > 0) notice(`${path} computes otherwise than this model will: ${computed.join(', ')}`);
  if (trained.length > 0) notice(`${path} says otherwise how its routers are trained: ${trained.join(', ')}`);
  return {
    source,
    step: 0,
    digest: null,
    what: `the ${source.heads.size} tensors of ${path}, moments 0`,
    vocabulary,
    tokenizer: tokenizerOfHf(path) === null ? null : loadTokenizer('hf:tokenizer.json', path).identity,
  };
}

/**
 * Gives all roles of a run that has just been started the parameters that it begins with. Throws `BadTensor`, and
 * `DamagedCheckpoint` where they are not those that the source says it has.
 */
export async function begin(
  { system, holders }: Pick<Run, 'system' | 'holders'>,
  { source, digest, fresh, left }: StartingPoint,
): Promise<void> {
  await handOut(system, holders, {
    parts: (names) => source.parts(names),
    namesOf: ({ parameter: { name } }) => (source.heads.has(name) ? [name] : []),
    dataStep: 0,
  });
  if (digest === null || fresh.length + left.length > 0) return;
  if (digest !== (await paramsDigest(system, holders, patienceMs))) {
    const what = 'its parameters are not those that its params_digest is of';
    throw new DamagedCheckpoint(source.path, what, 'begin from another checkpoint');
  }
}

function compare(
  { path, heads }: ModelSource,
  parameters: ReadonlyMap<string, Parameter>,
): Pick<StartingPoint, 'fresh' | 'left'> {
  const fresh = new Set<string>();
  for (const { name, shape } of parameters.values()) {
    const found = heads.get(name)?.shape;
    if (found === undefined) fresh.add(name);
    else if (found.join() !== shape.join()) {
      const what = `its ${name} has shape [${found.join(', ')}], and this model's has [${shape.join(', ')}]`;
      throw new SourceRefused(path, `${what}; give model and moe the sizes that it was trained with`);
    }
  }
  if (fresh.size === parameters.size) {
    throw new SourceRefused(path, 'it has no parameter of this model; name a model of the same architecture');
  }
  return { fresh: [...fresh], left: [...heads.keys()].filter((name) => !parameters.has(name)) };
}

function checkVocabulary(
  { path, said }: { readonly path: string; readonly said: number | null },
  vocabulary: number,
  { vocabSize }: Pick<Tokenizer, 'vocabSize'>,
): void {
  // Where it does not say, the shape of its embedding does.
  if (said === null || said === vocabulary) return;
  const remedy =
    said < vocabSize
      ? 'set data.tokenizer to the one that it was trained with'
      : `set model.vocab_size to ${said}, or data.tokenizer to the one that it was trained with`;
  throw new SourceRefused(path, `its vocabulary has ${said} rows, and this model's has ${vocabulary}; ${remedy}`);
}
