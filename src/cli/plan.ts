/**
 * `troupe plan FILE.yaml`: what a run would take, and whether it fits, without starting it. Exit code 1 says that it does
 * not fit, so that a script can ask.
 */
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { examples } from './examples.ts';
import type { Finish } from './finish.ts';
import { pathArgument } from './path_argument.ts';
import { setOption, stepsOption, type TopologyFlags } from './topology_options.ts';

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
  const { readTopology } = await import('./topology_file.ts');
  const topology = readTopology(file, flags);
  const baseDir = dirname(resolve(file));
  const { checkStart } = await import('../run/starting_point.ts');
  await checkStart(topology, baseDir);
  const { showPlan } = await import('./show_plan.ts');
  return await showPlan(topology, baseDir, flags);
}
