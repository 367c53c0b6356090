/** Rules that concern the corpora of a blend: their names differ, their columns are of rows, their percentages add up. */
import { percentOf } from './blend_weight.ts';
import { problem, type Problem, type Rule } from './problem.ts';
import type { CorpusSection, Topology } from './schema.ts';
import { rowKeys } from './schema/data.ts';

/** A rule of one blend, which is at `key`. */
type BlendRule = (blend: readonly CorpusSection[], key: string) => Problem | null;

const unknownColumn: BlendRule = (blend, key) => {
  for (const [at, { columns }] of blend.entries()) {
    const unknown = Object.keys(columns).find((column) => !rowKeys.includes(column));
    if (unknown !== undefined) {
      return problem(
        `rows of data have no key "${unknown}" that could be called otherwise; they have ${rowKeys.join(', ')}`,
        `${key}.${at}.columns`,
      );
    }
  }
  return null;
};

const nameTwice: BlendRule = (blend, key) => {
  const names = blend.map((corpus) => corpus.name);
  const twice = names.findIndex((name, index) => names.indexOf(name) < index);
  return twice < 0
    ? null
    : problem(`another corpus of the blend is named "${names[twice]}" too; names must differ`, `${key}.${twice}.name`);
};

const badPercentages: BlendRule = (blend, key) => {
  const percentages = blend.map(({ weight }) => percentOf(weight));
  if (percentages.every((percent) => percent === null)) return null;
  const without = percentages.indexOf(null);
  if (without >= 0) {
    const { name, weight } = blend[without];
    const said = `corpus "${name}" has weight ${weight} beside percentages`;
    return problem(`${said}; give every corpus a percentage, or none`, `${key}.${without}.weight`, key);
  }
  const sum = percentages.reduce<number>((total, percent) => total + (percent ?? 0), 0);
  // Decimals such as 33.3 are no binary fractions.
  if (Math.abs(sum - 100) < 1e-9) return null;
  return problem(`the percentages of the corpora add up to ${Number(sum.toFixed(9))}%; they must to 100%`, key);
};

/** Each blend of a file, and its key. */
const blendsOf = ({ data, evaluations }: Topology): [readonly CorpusSection[], string][] => [
  [data.blend, 'data.blend'],
  ...evaluations.map(({ data: { blend = [] } }, at): [readonly CorpusSection[], string] => [
    blend,
    `evaluations.${at}.data.blend`,
  ]),
];

export const blendRules: readonly Rule[] = [unknownColumn, nameTwice, badPercentages].map((rule): Rule => {
  return (topology) => {
    for (const [blend, key] of blendsOf(topology)) {
      const broken = rule(blend, key);
      if (broken !== null) return broken;
    }
    return null;
  };
});
