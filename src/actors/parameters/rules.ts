/**
 * The rule that updates a parameter is a pure function of parameter and optimizer: every holder, checkpoint and plan gives the
 * same answer.
 */
import type { Parameter } from '../../models/parameter.ts';
import { adamwRule } from './adamw_rule.ts';
import { muonRule } from './muon_rule.ts';
import type { RuleName, UpdateRule } from './update_rule.ts';

/** What of the optimizer chooses. */
export interface RuleChoice {
  readonly name: RuleName;
}

/** Parameters that one program, or one kind of program, updates. */
export interface Grouping {
  readonly rule: UpdateRule;
  readonly decays: boolean;
  readonly parameters: readonly Parameter[];
}

/** Muon, where it is chosen, for hidden matrices; AdamW for all else. A matrix of one row or column is a vector. */
export function ruleOf({ shape, isHidden }: Parameter, { name }: RuleChoice): UpdateRule {
  const isMatrix = shape.length === 2 && Math.min(...shape) > 1;
  return name === 'muon' && isHidden && isMatrix ? muonRule : adamwRule;
}

/** The parameters by rule and decay, in their order; no group is empty. */
export function groupsOf(parameters: readonly Parameter[], optimizer: RuleChoice): Grouping[] {
  return [muonRule, adamwRule].flatMap((rule) =>
    [true, false].flatMap((decays) => {
      const members = parameters.filter((each) => each.decays === decays && ruleOf(each, optimizer) === rule);
      return members.length === 0 ? [] : [{ rule, decays, parameters: members }];
    }),
  );
}

/** The names under which a parameter and what its rule keeps of it are stored. */
export function storedNames(parameter: Parameter, optimizer: RuleChoice): string[] {
  const { states } = ruleOf(parameter, optimizer);
  return [parameter.name, ...states.map((state) => `${parameter.name}.${state}`)];
}
