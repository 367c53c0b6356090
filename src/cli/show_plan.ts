/** What `troupe plan` prints of a run, and a dry run after its corpora: the tables of the plan and its verdict, or JSON. */
import type { Plan } from '../run/plan.ts';
import type { Topology } from '../topology/index.ts';
import { exitCodes } from './failure.ts';
import { idleWorkers } from './idle_workers.ts';
import { stdout } from './output.ts';
import { planJson } from './plan_json.ts';
import { planLines } from './plan_tables.ts';
import { planOf } from './preflight.ts';
import { estimateStep, type StepEstimate } from './step_estimate.ts';

/** Prints the plan; returns the exit code that says whether it fits. Throws `BadTokenizer`. */
export async function showPlan(
  topology: Topology,
  baseDir: string,
  { json, sublayersDigest }: { readonly json?: true; readonly sublayersDigest?: string | null } = {},
): Promise<number> {
  const planned = await planOf(topology, baseDir, sublayersDigest);
  const estimate = await estimateStep(planned);
  const text = json === true ? planJson(planned, estimate) : linesOf(planned, estimate).join('\n');
  stdout.write(`${text}\n`);
  return planned.workers.every(({ fits }) => fits) ? exitCodes.done : exitCodes.failed;
}

/** The tables, a warning if there is one, and the verdict, which is the last line. */
function linesOf(planned: Plan, estimate: StepEstimate | null): string[] {
  const lines = planLines(planned, estimate);
  const warning = idleWorkers(planned);
  return warning === null ? lines : lines.toSpliced(-1, 0, warning);
}
