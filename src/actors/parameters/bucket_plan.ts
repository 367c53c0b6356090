/**
 * A bucket plan says which parameters of an actor share a flat arena: those of which the same sharers run the same uses and that the
 * same rule updates, cut at about 4 MiB, in the order in which backward finishes them. It is a pure function of the holdings, and of
 * what all sharers see alike in them, so that all sharers of a bucket, and a plan, have the same ones.
 */
import { flatLayout } from '../../kernels/flat_layout.ts';
import { elements } from '../../kernels/shape.ts';
import type { Parameter } from '../../models/parameter.ts';
import { SUM_PART_ELEMENTS, type Uses } from '../../topology/index.ts';
import type { Holding } from './holding.ts';
import { ruleOf, type RuleChoice } from './rules.ts';
import type { UpdateRule } from './update_rule.ts';

export interface BucketPlan {
  /** The name of its first parameter: no other bucket of the model has it. */
  readonly name: string;
  /** In the order in which the model uses them. */
  readonly parameters: readonly Parameter[];
  readonly sharers: readonly string[];
  readonly uses: Uses;
  /** By use: who runs it, as in a holding. */
  readonly holders: readonly (readonly string[])[];
  /** Null for parameters that do not learn. */
  readonly rule: UpdateRule | null;
  readonly decays: boolean;
}

/** A bucket, and where its first parameter is among the holdings. */
interface Placed {
  readonly at: number;
  readonly plan: BucketPlan;
}

/**
 * The buckets of an actor. Backward goes through the model from its end, so a bucket is finished with the first of its
 * parameters, and the bucket whose first parameter comes last is finished first.
 */
export function bucketsOf(holdings: readonly Holding[], optimizer: RuleChoice): BucketPlan[] {
  const groups = new Map<string, { at: number; holding: Holding }[]>();
  const numberOf = numberedLists();
  for (const [at, holding] of holdings.entries()) {
    const { parameter, holders, learns } = holding;
    const rule = learns ? ruleOf(parameter, optimizer).name : 'none';
    // Two parameters that one sharer uses alike may be used otherwise by another: all uses count, not its own.
    const key = [rule, parameter.decays, ...holders.map(numberOf)].join(' ');
    const group = groups.get(key) ?? [];
    group.push({ at, holding });
    groups.set(key, group);
  }
  const placed = [...groups.values()].flatMap((group) => cut(group, optimizer));
  return placed.sort((a, b) => b.at - a.at).map(({ plan }) => plan);
}

/** Numbers lists of names, equal ones alike: each list is read once, since one of a thousand replicas is long. */
function numberedLists(): (list: readonly string[]) => number {
  const known = new Map<readonly string[], number>();
  const equal = new Map<string, number>();
  return (list) => {
    const seen = known.get(list);
    if (seen !== undefined) return seen;
    const text = JSON.stringify(list);
    const number = equal.get(text) ?? equal.size;
    equal.set(text, number);
    known.set(list, number);
    return number;
  };
}

/** Elements of a bucket's arena, where 64 bytes are between parameters at most. */
export const bucketLength = ({ parameters }: BucketPlan): number => flatLayout(shapesOf(parameters)).length;

export const shapesOf = (parameters: readonly Parameter[]): Record<string, readonly number[]> =>
  Object.fromEntries(parameters.map(({ name, shape }) => [name, shape]));

/** From the end, never inside a parameter: one that is larger than a bucket is a bucket of its own. */
function cut(group: readonly { at: number; holding: Holding }[], optimizer: RuleChoice): Placed[] {
  const runs: { at: number; holding: Holding }[][] = [];
  let room = 0;
  for (const member of [...group].reverse()) {
    const size = elements(member.holding.parameter.shape);
    if (size > room || runs.length === 0) {
      runs.push([]);
      room = SUM_PART_ELEMENTS;
    }
    runs[runs.length - 1].unshift(member);
    room -= size;
  }
  return runs.map((members) => {
    const [{ at, holding }] = members;
    const { parameter, sharers, uses, holders, learns } = holding;
    const parameters = members.map((member) => member.holding.parameter);
    const rule = learns ? ruleOf(parameter, optimizer) : null;
    return { at, plan: { name: parameter.name, parameters, sharers, uses, holders, rule, decays: parameter.decays } };
  });
}
