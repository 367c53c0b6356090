/**
 * The starting point of a run is the model that it begins with, where its topology has `from`: parameters of another run, and
 * nothing else of it. Step, moments, learning rate and data are those of a new run. What the source does not have, such as an
 * objective's own head, begins as in a new model; what it has too much is left out.
 */
import { resolve } from 'node:path';
import { DamagedCheckpoint, type Checkpoint } from '../checkpoints/index.ts';
import type { Tokenizer } from '../data/index.ts';
import type { Parameter } from '../models/parameter.ts';
import type { Topology } from '../topology/index.ts';
import { paramsDigest } from '../actors/parameters/params_digest.ts';
import { castOf, holdersOf } from '../actors/placement/cast.ts';
import type { RunSpec } from '../actors/placement/run_spec.ts';
import { findCheckpoint, findManifest } from './find_checkpoint.ts';
import { handOut, patienceMs } from './hand_out.ts';
import { checkpointSource, type ModelSource } from './model_source.ts';
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

/** Whether there is something to begin with at `from`, as far as a manifest says. Throws `NoCheckpoint`, `DamagedCheckpoint`. */
export async function checkStart({ from }: Pick<Topology, 'from'>, baseDir: string): Promise<void> {
  if (from !== null) await findManifest(resolve(baseDir, from));
}

/**
 * What a new run begins with, and `notice` hears of in a few lines; null where that is its own initial values. Nothing but
 * headers is read, and no module that the source names is run. Throws `NoCheckpoint`, `DamagedCheckpoint`, `CheckpointIo`,
 * `SourceRefused`.
 */
export async function startingPointOf(
  runSpec: RunSpec,
  tokenizer: Pick<Tokenizer, 'identity' | 'vocabSize'>,
  notice: (text: string) => void,
): Promise<StartingPoint | null> {
  const { topology, baseDir, vocabulary } = runSpec;
  if (topology.from === null) return null;
  const checkpoint = await findCheckpoint(resolve(baseDir, topology.from), notice);
  checkVocabulary(checkpoint, vocabulary, tokenizer);
  const source = await checkpointSource(checkpoint);
  const { fresh, left } = compare(source, parametersOf(runSpec));
  const { manifest, path } = checkpoint;
  const { step } = manifest;
  notice(`begins with the parameters of step ${step} of ${path}`);
  if (fresh.length > 0) notice(`${path} does not have ${listed(fresh)}: as in a new model`);
  if (left.length > 0) notice(`this model does not have ${listed(left)} of ${path}: left out`);
  const itsOwn = tokenizerIn(manifest);
  if (itsOwn !== null && itsOwn !== tokenizer.identity) {
    notice(
      `${path} was trained with another tokenizer, or without the tokens of chats: what its ids mean otherwise is learnt anew`,
    );
  }
  return { source, step, digest: digestIn(manifest), fresh, left };
}

/**
 * Gives all roles of a run that has just been started the parameters that it begins with. Throws `BadTensor`, and
 * `DamagedCheckpoint` where they are not those that the source says it has.
 */
export async function begin(
  { system, holders }: Pick<Run, 'system' | 'holders'>,
  { source, digest, fresh, left }: StartingPoint,
): Promise<void> {
  const read = (names: readonly string[]) => source.read(names);
  await handOut(system, holders, {
    read,
    namesOf: ({ parameter: { name } }) => (source.shapes.has(name) ? [name] : []),
    dataStep: 0,
  });
  if (digest === null || fresh.length + left.length > 0) return;
  if (digest !== (await paramsDigest(system, holders, patienceMs))) {
    const what = 'its parameters are not those that its params_digest is of';
    throw new DamagedCheckpoint(source.path, what, 'begin from another checkpoint');
  }
}

const parametersOf = (runSpec: RunSpec): Parameter[] =>
  holdersOf(castOf(runSpec)).flatMap(({ share }) => share.holdings.map(({ parameter }) => parameter));

function compare(
  { path, shapes }: ModelSource,
  parameters: readonly Parameter[],
): Pick<StartingPoint, 'fresh' | 'left'> {
  const fresh = new Set<string>();
  const own = new Set<string>();
  for (const { name, shape } of parameters) {
    own.add(name);
    const found = shapes.get(name);
    if (found === undefined) fresh.add(name);
    else if (found.join() !== shape.join()) {
      const what = `its ${name} has shape [${found.join(', ')}], and this model's has [${shape.join(', ')}]`;
      throw new SourceRefused(path, `${what}; give model and moe the sizes that it was trained with`);
    }
  }
  if (fresh.size === own.size) {
    throw new SourceRefused(path, 'it has no parameter of this model; name a run of the same architecture');
  }
  return { fresh: [...fresh], left: [...shapes.keys()].filter((name) => !own.has(name)) };
}

function checkVocabulary(
  { path, manifest }: Pick<Checkpoint, 'path' | 'manifest'>,
  vocabulary: number,
  { vocabSize }: Pick<Tokenizer, 'vocabSize'>,
): void {
  const said = vocabularySaidBy(manifest);
  // Where it does not say, the shape of its embedding does.
  if (said === null || said === vocabulary) return;
  const remedy =
    said < vocabSize
      ? 'set data.tokenizer to the one that it was trained with'
      : `set model.vocab_size to ${said}, or data.tokenizer to the one that it was trained with`;
  throw new SourceRefused(path, `its vocabulary has ${said} rows, and this model's has ${vocabulary}; ${remedy}`);
}

/** Names in a line: the first few, and how many more. */
function listed(names: readonly string[]): string {
  const some = names.slice(0, 4).join(', ');
  return names.length > 4 ? `${some} and ${names.length - 4} more` : some;
}
