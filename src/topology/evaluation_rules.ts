/** Rules that concern evaluations: each has a name of its own, one kind of data, and an objective that the model has the head for. */
import { problem, type Problem, type Rule } from './problem.ts';
import type { EvaluationSection, ObjectiveSection, Topology } from './schema.ts';

/** Name of the evaluation on what was held out of the training data. */
export const heldOutName = 'held_out';

/** What an evaluation scores. */
export const objectiveOf = (
  { objective }: Pick<Topology, 'objective'>,
  evaluation: Pick<EvaluationSection, 'objective'>,
): ObjectiveSection => evaluation.objective ?? objective;

/** Weights that an objective needs beside the decoder's. */
const headOf = ({ kind }: ObjectiveSection): string =>
  kind === 'attributes' ? 'head of attributes' : 'language model head';

/** A rule of one evaluation, which is at `key`. */
type EvaluationRule = (evaluation: EvaluationSection, key: string, topology: Topology) => Problem | null;

const otherName: EvaluationRule = ({ name }, key, { evaluations }) => {
  if (name === heldOutName) {
    return problem('it is the name of the evaluation on what data holds out; choose another', `${key}.name`);
  }
  return evaluations.filter((other) => other.name === name).length > 1
    ? problem(`several evaluations are named "${name}"; names must differ`, `${key}.name`)
    : null;
};

const oneKindOfData: EvaluationRule = ({ data: { blend, rows } }, key) => {
  if (blend !== undefined && rows !== undefined) {
    return problem('it has both blend and rows; name all corpora in blend, or only rows', `${key}.data`);
  }
  return blend === undefined && rows === undefined
    ? problem('it has no data; name corpora by blend, or files of rows by rows', `${key}.data`)
    : null;
};

const hasHead: EvaluationRule = (evaluation, key, topology) => {
  const [own, trained] = [objectiveOf(topology, evaluation), topology.objective];
  if (headOf(own) === headOf(trained)) return null;
  return problem(
    `${own.kind} needs a ${headOf(own)}, and objective.kind ${trained.kind} trains a model without; score it in a run that has one`,
    `${key}.objective`,
    key,
    'objective.kind',
  );
};

const hasRows: EvaluationRule = (evaluation, key, topology) => {
  const { kind } = objectiveOf(topology, evaluation);
  const { blend = [], rows } = evaluation.data;
  return kind === 'next_token' || rows !== undefined || blend.some(({ format }) => format === 'rows')
    ? null
    : problem(`${kind} is scored on rows of data; name files by rows`, `${key}.data`);
};

/** Each tells of the first evaluation that breaks it. */
export const evaluationRules: readonly Rule[] = [otherName, oneKindOfData, hasHead, hasRows].map((rule): Rule => {
  return (topology) => {
    for (const [at, evaluation] of topology.evaluations.entries()) {
      const broken = rule(evaluation, `evaluations.${at}`, topology);
      if (broken !== null) return broken;
    }
    return null;
  };
});
