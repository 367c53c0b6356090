/**
 * The vocabulary of a model is how many rows its embedding and its head have. There may be more than the tokenizer has ids: the
 * others are no token's, are never a target, and no generation chooses them.
 */
import type { Checkpoint, Json, Manifest } from '../checkpoints/index.ts';
import { BadTokenizer, type Tokenizer } from '../data/index.ts';
import type { Topology } from '../topology/index.ts';
import { ResumeRefused } from './resume.ts';

/** Heads are fast at multiples of 16 on every device; 64 is what published models round up to. */
const MULTIPLE = 64;

/** That of a run from its beginning. Throws `BadTokenizer` where `model.vocab_size` is less than the tokenizer's ids. */
export function vocabularyOf(
  { model: { vocab_size: wanted } }: Topology,
  { name, vocabSize }: Pick<Tokenizer, 'name' | 'vocabSize'>,
): number {
  const vocabulary = wanted ?? Math.ceil(vocabSize / MULTIPLE) * MULTIPLE;
  if (vocabulary >= vocabSize) return vocabulary;
  const reason = `it has ids up to ${vocabSize - 1}, and model.vocab_size is ${vocabulary}`;
  throw new BadTokenizer(name, reason, `set model.vocab_size to ${vocabSize} or more, or leave it out`);
}

/**
 * That of the run that a checkpoint is of. Those of version 0.1 do not say: it was the tokenizer's. Throws `ResumeRefused`
 * where the tokenizer has more ids than the model has rows.
 */
export function vocabularyIn(
  { path, manifest }: Pick<Checkpoint, 'path' | 'manifest'>,
  tokenizer: Pick<Tokenizer, 'name' | 'vocabSize'> | null,
): number {
  const { name, vocabSize } = tokenizer ?? { name: noTokenizer, vocabSize: 0 };
  const vocabulary = vocabularySaidBy(manifest) ?? vocabSize;
  if (vocabulary >= vocabSize) return vocabulary;
  const what = `its model has ${vocabulary} rows, and the tokenizer '${name}' has ids up to ${vocabSize - 1} now`;
  throw new ResumeRefused(path, `${what}; restore the tokenizer as it was`, 2);
}

/** That which a manifest names; null in those of version 0.1. */
export function vocabularySaidBy({ model }: Pick<Manifest, 'model'>): number | null {
  const said = saidOf(model, 'vocabulary');
  return typeof said === 'number' ? said : null;
}

/** Identity of the tokenizer of a model whose ids are of a tokenizer that nobody has given. */
export const noTokenizer = 'none';

/** Identity of the tokenizer that a model was trained with, or `noTokenizer`; null where its manifest does not name it. */
export function tokenizerIn({ model }: Pick<Manifest, 'model'>): string | null {
  const said = saidOf(model, 'tokenizer');
  return typeof said === 'string' ? said : null;
}

const saidOf = (model: Json, key: string): Json | undefined =>
  typeof model === 'object' && model !== null && !Array.isArray(model) ? model[key] : undefined;
