/** What a run owes after so many steps, besides the next one: an evaluation, a checkpoint. Pure, from the topology. */
import type { Topology } from '../../topology/index.ts';

export interface Due {
  readonly evaluation: boolean;
  readonly checkpoint: boolean;
}

/** What is due once `steps` data steps are done. After the last step there is an evaluation, if there are any. */
export function dueAfter({ training, checkpoint }: Topology, steps: number): Due {
  const isAt = (interval: number): boolean => interval > 0 && steps % interval === 0;
  const isEnd = training.eval_interval > 0 && steps === training.steps;
  return { evaluation: isEnd || isAt(training.eval_interval), checkpoint: isAt(checkpoint.interval) };
}

/** Whether nothing comes between so many steps and the next one. */
export function goesStraightOn(topology: Topology, steps: number): boolean {
  const { evaluation, checkpoint } = dueAfter(topology, steps);
  return steps < topology.training.steps && !evaluation && !checkpoint;
}
