/** From the `data` section of a topology to what is packed: the corpora that it names, and how rows are made samples. */
import { CHATML_TOKENS, BytesTokenizer, loadTokenizer } from '../data/index.ts';
import type { CorpusFormat, CorpusSpec, PackRowsOptions, RowsSpec, SampledKind, Tokenizer } from '../data/index.ts';
import type { RowKind } from '../data/rows/index.ts';
import { objectiveOf, weightOf, type CorpusSection, type ObjectiveSection, type Topology } from '../topology/index.ts';

/** Name of the corpus that `data.rows` is short for. */
const ROWS = 'rows';

/** What each objective learns from. */
const kinds: Readonly<Record<ObjectiveSection['kind'], readonly SampledKind[]>> = {
  next_token: ['text', 'chat'],
  chat: ['chat'],
  attributes: ['attributes'],
};

/** Whether an objective learns from rows of a kind. */
export const isLearntFrom = (kind: RowKind, objective: ObjectiveSection): boolean =>
  kinds[objective.kind].some((each) => each === kind);

/** The corpora of a run; `rows` stands for one. */
export function corporaOf({ blend, rows }: Topology['data']): readonly CorpusSection[] {
  if (rows === undefined) return blend;
  return [{ name: ROWS, glob: rows, weight: 1, format: 'rows', columns: {}, max_file_bytes: 0 }];
}

/** The topology with the data and the objective of an evaluation in the place of those that are trained on; nothing is held out. */
export function topologyOfEvaluation(topology: Topology, name: string): Topology {
  const evaluation = topology.evaluations.find((each) => each.name === name)!;
  const { rows: _rows, ...data } = topology.data;
  const { blend = [], rows } = evaluation.data;
  const own = { ...data, blend, ...(rows === undefined ? {} : { rows }), held_out: 0 };
  return { ...topology, objective: objectiveOf(topology, evaluation), data: own };
}

/** A corpus of texts. */
export const textSpecOf = (
  { name, glob, exclude, weight, columns, max_file_bytes }: CorpusSection,
  format: CorpusFormat,
): CorpusSpec => ({
  name,
  globs: listOf(glob),
  exclude: listOf(exclude ?? []),
  weight: weightOf(weight),
  format,
  textKey: columns.text ?? 'text',
  maxFileBytes: max_file_bytes,
});

/** A corpus of rows. */
export const rowsSpecOf = ({ name, glob, exclude, columns }: CorpusSection): RowsSpec => ({
  name,
  globs: listOf(glob),
  exclude: listOf(exclude ?? []),
  columns,
});

export function rowsOptionsOf(
  { data, objective, training }: Topology,
  tokenizer: Tokenizer,
): Omit<PackRowsOptions, 'baseDir' | 'cacheDir'> {
  const { train_on: trainOn, keep, overlong, pack, held_out, template_date: date } = data;
  return {
    tokenizer,
    kinds: kinds[objective.kind],
    sampler: {
      sequenceLength: training.sequence_length,
      // Whoever learns to predict every token learns it of chats too.
      trainOn: objective.kind === 'next_token' ? 'all' : trainOn,
      keep,
      overlong,
      ...(date === undefined ? {} : { date: new Date(date) }),
    },
    isPacked: pack,
    heldOutFraction: held_out,
  };
}

/** The tokenizer of a run: `bytes` has the tokens of ChatML where there are rows, which may be chats. Throws `BadTokenizer`. */
export function tokenizerOf({ data }: Pick<Topology, 'data'>, baseDir: string): Tokenizer {
  const tokenizer = loadTokenizer(data.tokenizer, baseDir);
  const hasRows = corporaOf(data).some(({ format }) => format === 'rows');
  return hasRows && tokenizer instanceof BytesTokenizer ? tokenizer.withSpecials(CHATML_TOKENS) : tokenizer;
}

const listOf = (globs: string | readonly string[]): readonly string[] => (typeof globs === 'string' ? [globs] : globs);
