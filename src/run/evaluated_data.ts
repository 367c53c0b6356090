/**
 * What the evaluations of a run score, by name: the part of the training data that is held out, and data of their own. Each has its
 * sequences and the names of its corpora.
 */
import {
  AllSequences,
  BadBlend,
  evaluatedRows,
  evaluatedText,
  HeldOutSequences,
  PackedCorpus,
  type EvaluatedSequences,
  type EvaluatedSource,
  type PackedRows,
} from '../data/packed.ts';
import { heldOutName, type EvaluationSection, type Topology } from '../topology/index.ts';

/** Packed corpora and their weights, in one order. */
export interface BlendedData {
  readonly corpora: readonly (PackedCorpus | PackedRows)[];
  readonly weights: readonly number[];
}

export interface EvaluatedData {
  /** Of its corpora. */
  readonly names: readonly string[];
  readonly sequences: EvaluatedSequences;
  /** Of fewer sequences than were wished for, or than there are, a line about that; else null. */
  readonly remark: string | null;
}

/** As many sequences as are scored of an evaluation that does not say how many. */
const MOST = 10_000;

/** Every evaluation. Throws `BadBlend` where the data of one has no room for a sequence. */
export function evaluatedData(
  trained: BlendedData,
  evaluations: ReadonlyMap<string, BlendedData>,
  topology: Pick<Topology, 'training' | 'evaluations'>,
): ReadonlyMap<string, EvaluatedData> {
  const { sequence_length: length } = topology.training;
  const own = topology.evaluations.map((evaluation): [string, EvaluatedData] => [
    evaluation.name,
    ownOf(evaluation, evaluations.get(evaluation.name)!, length),
  ]);
  return new Map([[heldOutName, heldOutOf(trained, topology.training)], ...own]);
}

function heldOutOf({ corpora, weights }: BlendedData, training: Topology['training']): EvaluatedData {
  const sources = sourcesOf(corpora, 'heldOut', training.sequence_length);
  const sequences = new HeldOutSequences(sources, weights, training.eval_sequences);
  const { count, asked } = sequences;
  const remark = count < asked ? `held-out data has room for ${count} of ${asked} evaluation sequences` : null;
  return { names: corpora.map(({ name }) => name), sequences, remark };
}

function ownOf({ name, sequences: asked }: EvaluationSection, data: BlendedData, length: number): EvaluatedData {
  const { corpora, weights } = data;
  const sources = sourcesOf(corpora, 'train', length);
  const all = new AllSequences(sources);
  if (all.count === 0) {
    const reason = `evaluation '${name}' has nothing to score: no text of it has ${length + 1} tokens in a row`;
    throw new BadBlend(reason, 'give it more text or shorten training.sequence_length');
  }
  const names = corpora.map((corpus) => corpus.name);
  if (asked === undefined && all.count <= MOST) return { names, sequences: all, remark: null };
  const wished = asked ?? MOST;
  const sequences = new HeldOutSequences(sources, weights, wished);
  const scored = `evaluation '${name}' scores ${sequences.count} of ${all.count} sequences`;
  if (asked === undefined) return { names, sequences, remark: `${scored}; set its sequences for another number` };
  return {
    names,
    sequences,
    remark: sequences.count < wished ? `${scored}, not ${wished}: by weight it has no more` : null,
  };
}

const sourcesOf = (corpora: BlendedData['corpora'], part: 'train' | 'heldOut', length: number): EvaluatedSource[] =>
  corpora.map((corpus) =>
    corpus instanceof PackedCorpus ? evaluatedText(corpus, part, length) : evaluatedRows(corpus, part),
  );
