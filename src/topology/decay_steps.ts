/** The decay that ends a run of `schedule: wsd` takes a tenth of its steps, unless the topology says how many. */
import type { OptimizerSection } from './schema.ts';

/** Last steps of a run of `steps` in which the learning rate falls; a tenth is enough (arXiv 2404.06395 §4). */
export function decaySteps({ decay_steps: given }: Pick<OptimizerSection, 'decay_steps'>, steps: number): number {
  return given ?? Math.ceil(steps / 10);
}
