/**
 * An opened model is for programs: a run directory, a checkpoint or a folder of Hugging Face's, whose tensors can be read one at a
 * time, and which answers in this process. Its actors start with the first question that needs them.
 */
import { float32Of } from '../checkpoints/index.ts';
import type { Tokenizer } from '../data/index.ts';
import { runSpecOf } from '../actors/placement/run_spec.ts';
import type { ModelConfig } from '../models/config.ts';
import { continuedTokens } from './continued_tokens.ts';
import { findModel, type FoundModel } from './found_model.ts';
import { NoTokenizer } from './generate.ts';
import { tokensOnly } from './generator.ts';
import { parametersOf } from './model_parameters.ts';
import { ModelSession } from './model_session.ts';
import type { ModelSource } from './model_source.ts';

export interface OpenModelOptions {
  /** Tokens that it sees at most; default: as many as it was trained on, of a folder of Hugging Face's up to 512. */
  readonly sequenceLength?: number;
  /** Whether a module that a checkpoint names may run; default: no. */
  readonly allowCode?: boolean;
  /** Told in one line of what is passed over or left out; default: nobody. */
  readonly notice?: (text: string) => void;
}

/** What to go on from, and how. */
export interface ContinueOptions {
  /** A text, or its ids. */
  readonly prompt: string | ArrayLike<number>;
  readonly maxTokens: number;
  /** 0, which is the default, takes the likeliest token. */
  readonly temperature?: number;
  /** Default: 1. */
  readonly seed?: number;
  /** Ids that end it; default: the tokenizer's separator, if it has a tokenizer. */
  readonly stopIds?: readonly number[];
}

export interface GeneratedToken {
  readonly token: number;
  /** What became certain with it; empty where there is no tokenizer. */
  readonly text: string;
  /** In nats, at temperature 1. */
  readonly logProb: number;
}

/** Ids that a model cannot be asked about. */
export class BadSequence extends Error {
  readonly tag = 'BadSequence';
  readonly exitCode = 2;
  constructor(what: string, remedy: string) {
    super(`${what}; ${remedy}`);
    this.name = 'BadSequence';
  }
}

/**
 * Opens the newest checkpoint of a run directory, a checkpoint, or a folder of Hugging Face's.
 *
 *     await using model = await openModel('runs/mine');
 *     for await (const { text } of model.generate({ prompt: 'The ', maxTokens: 20 })) process.stdout.write(text);
 *
 * Headers are read and held against the model that the checkpoint or config.json describes. Throws `NoCheckpoint`, `DamagedCheckpoint`,
 * `CheckpointIo`, `CodeNotAllowed`, `ResumeRefused`, `BadTokenizer`, `BadHfFolder`, `BadHfConfig`, `ConfigError`, `TensorsDiffer`.
 */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  const { sequenceLength, allowCode = false, notice = () => undefined } = options;
  const found = await findModel(path, { allowCode, notice });
  const runSpec = await runSpecOf(found);
  const source = await found.source(parametersOf(runSpec));
  return new OpenedModel(found, runSpec.config, source, sequenceLength);
}

export class OpenedModel implements AsyncDisposable {
  /** Its family and sizes. */
  readonly config: ModelConfig;
  /** Rows of its embedding. */
  readonly vocabulary: number;
  /** Null where nothing says which it is: then there are ids only. */
  readonly tokenizer: Tokenizer | null;
  /** Tokens that it sees at most. */
  readonly sequenceLength: number;
  private readonly found: FoundModel;
  private readonly source: ModelSource;
  private session: Promise<ModelSession> | null = null;

  /** `openModel` makes one. */
  constructor(found: FoundModel, config: ModelConfig, source: ModelSource, sequenceLength?: number) {
    this.config = config;
    this.vocabulary = found.vocabulary;
    this.tokenizer = found.tokenizer;
    this.sequenceLength = sequenceLength ?? found.topology.training.sequence_length;
    this.found = { ...found, source: () => Promise.resolve(source) };
    this.source = source;
  }

  /** The shape of each parameter, by its name. */
  parameters(): Map<string, readonly number[]> {
    return new Map([...this.source.heads].map(([name, { shape }]) => [name, shape]));
  }

  /** The values of a parameter, widened exactly to fp32, row by row. Throws `BadTensor` where it has none of that name, `CheckpointIo`. */
  async tensor(name: string): Promise<Float32Array> {
    const tensors = this.source.read([name]);
    try {
      return float32Of((await tensors.next()).value!);
    } finally {
      await tensors.return();
    }
  }

  /**
   * logits_TV of each sequence of ids: row t is of what follows the token t. Every row is a pass of its own, since training has no use for all
   * of them at once. Throws `BadSequence`, `RunFailed`, and what starting it throws.
   */
  async logits(sequences: readonly ArrayLike<number>[]): Promise<Float32Array[]> {
    sequences.forEach((sequence, i) => this.check(sequence, `sequence ${i}`));
    const session = await this.started();
    const all: Float32Array[] = [];
    for (const sequence of sequences) {
      const logits_TV = new Float32Array(sequence.length * this.vocabulary);
      const ids = Array.from(sequence);
      for (const t of ids.keys()) logits_TV.set(await session.logitsAfter(ids.slice(0, t + 1)), t * this.vocabulary);
      all.push(logits_TV);
    }
    return all;
  }

  /** Log-probabilities of every token of a sequence but its first, in nats. Throws as `logits` does. */
  async logProbs(sequences: readonly ArrayLike<number>[]): Promise<Float32Array[]> {
    sequences.forEach((sequence, i) => this.check(sequence, `sequence ${i}`));
    return await (await this.started()).logProbs(sequences);
  }

  /** Yields tokens as they are chosen. Of a long text the model sees the end. Throws as `logits` does, and `NoTokenizer`. */
  async *generate(options: ContinueOptions): AsyncGenerator<GeneratedToken, void, void> {
    const { tokenizer } = this;
    const {
      prompt,
      maxTokens,
      temperature = 0,
      seed = 1,
      stopIds = tokenizer === null ? [] : [tokenizer.separatorId],
    } = options;
    const ids = Array.from(typeof prompt === 'string' ? await this.encoded(prompt) : prompt);
    if (ids.length === 0 && tokenizer !== null) ids.push(tokenizer.separatorId);
    this.checkIds(ids, 'prompt');
    const session = await this.started();
    const known = tokenizer === null ? (logits: Float32Array) => logits : tokensOnly(tokenizer);
    const decoder = tokenizer?.decoder(ids);
    const next = async (before: readonly number[]) => known(await session.logitsAfter(before));
    for await (const chosen of continuedTokens(ids, { stopIds, maxTokens, temperature, seed }, next)) {
      yield { ...chosen, text: decoder?.push(chosen.token) ?? '' };
    }
  }

  /** Ends its actors, if it has begun with any. */
  async close(): Promise<void> {
    const session = await this.session?.catch(() => null);
    this.session = null;
    await session?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private started(): Promise<ModelSession> {
    return (this.session ??= ModelSession.start(this.found, this.sequenceLength));
  }

  private async encoded(text: string): Promise<ArrayLike<number>> {
    if (this.tokenizer === null) throw new NoTokenizer(this.found.path);
    return await this.tokenizer.encode(text);
  }

  private check(ids: ArrayLike<number>, what: string): void {
    this.checkIds(ids, what);
    if (ids.length <= this.sequenceLength) return;
    throw new BadSequence(
      `${what} has ${ids.length} tokens, and the model was opened for ${this.sequenceLength}`,
      'open it with a longer sequenceLength, or shorten it',
    );
  }

  private checkIds(ids: ArrayLike<number>, what: string): void {
    if (ids.length === 0) throw new BadSequence(`${what} has no token`, 'give at least one');
    const wrong = Array.from(ids).find((id) => !(Number.isInteger(id) && id >= 0 && id < this.vocabulary));
    if (wrong === undefined) return;
    throw new BadSequence(`${what} has the id ${wrong}`, `give whole numbers below the vocabulary, ${this.vocabulary}`);
  }
}
