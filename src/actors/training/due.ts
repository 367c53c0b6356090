/** What a run owes after so many steps, besides the next one: evaluations, a checkpoint. Pure, from the topology. */
import { heldOutName, type Topology } from '../../topology/index.ts';

export interface Due {
  /** Names of evaluations. */
  readonly evaluations: readonly string[];
  readonly checkpoint: boolean;
}

/** What is due once `steps` data steps are done. After the last step there is every evaluation that is made at all. */
export function dueAfter({ training, evaluations, checkpoint }: Topology, steps: number): Due {
  const isAt = (interval: number): boolean => interval > 0 && steps % interval === 0;
  const isEnd = steps === training.steps;
  const { eval_interval: usual } = training;
  const all = [{ name: heldOutName, interval: usual }, ...evaluations];
  const due = all.filter(({ interval = usual }) => interval > 0 && (isEnd || isAt(interval)));
  return { evaluations: due.map(({ name }) => name), checkpoint: isAt(checkpoint.interval) };
}

/** Whether nothing comes between so many steps and the next one. */
export function goesStraightOn(topology: Topology, steps: number): boolean {
  const { evaluations, checkpoint } = dueAfter(topology, steps);
  return steps < topology.training.steps && evaluations.length === 0 && !checkpoint;
}
