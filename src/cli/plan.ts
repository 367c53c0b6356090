/**
 * `troupe plan FILE.yaml`: what a run would take, and whether it fits, without starting it. Exit code 1 says that it does
 * not fit, so that a script can ask.
 */
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Plan } from '../run/plan.ts';
import type { Topology } from '../topology/index.ts';
import { examples } from './examples.ts';
import { exitCodes } from './failure.ts';
import type { Finish } from './finish.ts';
import { stdout } from './output.ts';
import { pathArgument } from './path_argument.ts';
import { idleWorkers } from './idle_workers.ts';
import { planJson } from './plan_json.ts';
import { planLines } from './plan_tables.ts';
import { planOf } from './preflight.ts';
import { estimateStep, type StepEstimate } from './step_estimate.ts';
import { readTopology, setOption, stepsOption, type TopologyFlags } from './topology_file.ts';

interface PlanFlags extends TopologyFlags {
  readonly json?: true;
}

/** Adds the command; `finish` is told its exit code. */
export function addPlan(program: Command, finish: Finish): void {
  program
    .command('plan')
    .description('show what a run would take: placement, memory, FLOPs, bytes between workers')
    .argument('<FILE.yaml>', 'topology file, for example configs/quickstart.yaml', pathArgument)
    .option(...setOption)
    .option(...stepsOption)
    .option('--json', 'print one JSON object')
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['plan my.yaml', 'does it fit, and what does it send?'],
        ['plan my.yaml --set moe.num_experts=64 --set cluster.nodes=8', 'what if?'],
        ['plan my.yaml --json', 'for a script'],
      ]),
    )
    .action(async (file: string, flags: PlanFlags) => finish(await plan(file, flags), 'output'));
}

async function plan(file: string, flags: PlanFlags): Promise<number> {
  const topology = readTopology(file, flags);
  const baseDir = dirname(resolve(file));
  const { checkStart } = await import('../run/starting_point.ts');
  await checkStart(topology, baseDir);
  return await showPlan(topology, baseDir, flags);
}

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
