/**
 * `troupe launch FILE.yaml`: trains what a topology file describes. Reads the file, checks what can be checked, hands it
 * to the launch, and shows how it goes.
 */
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { RunEvent } from '../actors/run_port.ts';
import { RunDirectory } from '../telemetry/index.ts';
import { examples } from './examples.ts';
import { exitCodes } from './failure.ts';
import { interruptSignal } from './interrupt.ts';
import { watchedParent, watchParent } from './parent.ts';
import { pathArgument } from './path_argument.ts';
import { checkFits } from './preflight.ts';
import { Progress } from './progress.ts';
import { rehearse } from './rehearse.ts';
import { screenOf } from './screen.ts';
import { summaryLines } from './summary.ts';
import { readTopology, setOption, stepsOption, type TopologyFlags } from './topology_file.ts';
import { UsageError } from './usage_error.ts';

/** The parent at the start: by the time that a run begins it may be gone. */
const parentPid = process.ppid;

interface LaunchFlags extends TopologyFlags {
  readonly runDir?: string;
  readonly resume?: true;
  readonly quiet?: true;
  readonly dryRun?: true;
}

/** Adds the command; `finish` is told its exit code. */
export function addLaunch(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('launch')
    .description('train the model that a topology file describes')
    .argument('<FILE.yaml>', 'topology file, for example configs/quickstart.yaml', pathArgument)
    .option(...setOption)
    .option(...stepsOption)
    .option('--run-dir <DIR>', 'run directory (default: runs/<name>-<time>)', pathArgument)
    .option('--resume', 'continue the run in --run-dir from its newest checkpoint')
    .option('--dry-run', 'check file, texts and run directory, show the plan, and start nothing')
    .option('--quiet', 'print the result only')
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['launch configs/quickstart.yaml', 'train'],
        ['launch my.yaml --dry-run', 'check everything, start nothing'],
        ['launch my.yaml --set cluster.nodes=4 --steps 1000', 'change keys for this run'],
        ['launch my.yaml --run-dir runs/mine --resume', 'go on from the newest checkpoint'],
      ]),
    )
    .action(async (file: string, flags: LaunchFlags) => finish(await train(file, flags)));
}

async function train(file: string, flags: LaunchFlags): Promise<number> {
  if (flags.resume === true && flags.runDir === undefined) {
    throw new UsageError('--resume needs --run-dir: name the directory of the run to continue');
  }
  const topology = readTopology(file, flags);
  const baseDir = dirname(resolve(file));
  const place = {
    directory: flags.runDir ?? null,
    parent: 'runs',
    name: topology.name,
    resume: flags.resume === true,
    nowMs: Date.now(),
  };
  const runDir = RunDirectory.check(place);
  if (flags.dryRun === true) return await rehearse(topology, baseDir, runDir);
  await checkFits(topology, baseDir);

  const nowMs = (): number => performance.now();
  const startMs = nowMs();
  const screen = await screenOf(process.stdout);
  const progress = flags.quiet === true ? null : new Progress({ screen, totalSteps: topology.training.steps, nowMs });
  let checkpointPath: string | null = null;
  const observe = (event: RunEvent): void => {
    if (event.kind === 'checkpoint') checkpointPath = event.path;
    progress?.observe(event);
  };

  using interrupt = interruptSignal({
    nowMs,
    announce: () => progress?.observe({ kind: 'notice', text: 'interrupted: writing a checkpoint ...' }),
    // Not an exit: native code in a worker could not be left in the middle.
    kill: () => process.kill(process.pid, 'SIGKILL'),
    env: process.env,
  });
  using _parent = watchParent({
    watched: watchedParent(process.env, parentPid),
    parentPid: () => process.ppid,
    onGone: () => interrupt.hangUp(),
  });
  try {
    const { launch } = await import('../actors/launch.ts');
    const named = flags.runDir === undefined ? {} : { runDir: flags.runDir };
    const resume = flags.resume === true;
    const outcome = await launch(topology, { baseDir, ...named, resume, signal: interrupt.signal, observe });
    progress?.end();
    const elapsedMs = nowMs() - startMs;
    const summary = { outcome, elapsedMs, arguments: argumentsOf(file, flags), checkpointPath };
    for (const line of summaryLines(summary)) console.log(line);
    return outcome.status === 'done' ? exitCodes.done : exitCodes.interrupted;
  } finally {
    progress?.end();
  }
}

/** What a resume has to be given again: its config must be the one that the run began with. */
function argumentsOf(file: string, flags: LaunchFlags): string[] {
  const steps = flags.steps === undefined ? [] : ['--steps', flags.steps];
  return [file, ...(flags.set ?? []).flatMap((override) => ['--set', override]), ...steps];
}
