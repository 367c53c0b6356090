/** Rules about the data of a run: whether its corpora are what the objective learns from. Those of a blend are in `blend_rules`. */
import { problem, type Rule } from './problem.ts';
import type { Topology } from './schema.ts';
import { dataSchema } from './schema/data.ts';

export const dataRules: readonly Rule[] = [
  ({ data }) =>
    data.pack && !hasRows(data)
      ? problem('only rows of data are packed, and data has none; remove it, or name files by data.rows', 'data.pack')
      : null,

  ({ data, objective: { kind } }) =>
    kind !== 'next_token' && !hasRows(data)
      ? problem(`${kind} learns from rows of data; name files by data.rows`, 'objective.kind', 'data.rows')
      : null,

  ({ data: { blend, rows }, objective: { kind } }) => {
    const at = rows === undefined && kind === 'attributes' ? blend.findIndex(({ format }) => format !== 'rows') : -1;
    return at < 0 || blend.every(({ format }) => format !== 'rows')
      ? null
      : problem(
          'texts have no attributes to learn; remove the corpus, or set format: rows',
          `data.blend.${at}.format`,
          'objective.kind',
        );
  },

  ({ data: { pack }, objective: { kind } }) =>
    pack && kind === 'attributes'
      ? problem(
          'attributes are of a sequence as a whole, so that each row has one of its own; remove it',
          'data.pack',
          'objective.kind',
        )
      : null,

  ({ data: { train_on }, objective: { kind } }) =>
    train_on === 'completion' && kind !== 'chat'
      ? problem('it is for objective.kind: chat; remove it', 'data.train_on', 'objective.kind')
      : null,

  ({ data: { rows, blend } }) =>
    rows !== undefined && JSON.stringify(blend) !== usualBlend
      ? problem(
          'rows stands for a blend of one corpus; remove one of the two, or list the rows in the blend with format: rows',
          'data.rows',
          'data.blend',
        )
      : null,
];

/** What a file without a blend has. */
const usualBlend = JSON.stringify(dataSchema.parse({}).blend);

const hasRows = ({ rows, blend }: Topology['data']): boolean =>
  rows !== undefined || blend.some(({ format }) => format === 'rows');
