/**
 * The rule that updates a parameter is a pure function of parameter and optimizer: every holder, checkpoint and plan gives the
 * same answer.
 */
import type { Parameter } from '../../models/parameter.ts';
import type { OptimizerSection } from '../../topology/index.ts';
import { adamwRule } from './adamw_rule.ts';
import { balanceRule } from './balance_rule.ts';
import type { Holding } from './holding.ts';
import { muonRule } from './muon_rule.ts';
import type { UpdateRule } from './update_rule.ts';

/** What of the optimizer chooses. */
export type RuleChoice = Pick<OptimizerSection, 'name'>;

/** Muon, where it is chosen, for hidden matrices; a rule of their own for biases that balance experts; AdamW for all else. A matrix of one row or column is a vector. */
export function ruleOf({ shape, isHidden, balanceRate }: Parameter, { name }: RuleChoice): UpdateRule {
  if (balanceRate !== undefined) return balanceRule(balanceRate);
  const isMatrix = shape.length === 2 && Math.min(...shape) > 1;
  return name === 'muon' && isHidden && isMatrix ? muonRule : adamwRule;
}

/** The names under which a checkpoint has a parameter that is held, and what its rule keeps of it. */
export function storedNames(
  { parameter, learns }: Pick<Holding, 'parameter' | 'learns'>,
  optimizer: RuleChoice,
): string[] {
  const states = learns ? ruleOf(parameter, optimizer).states : [];
  return [parameter.name, ...states.map((state) => `${parameter.name}.${state}`)];
}
