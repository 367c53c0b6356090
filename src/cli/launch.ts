/**
 * `troupe launch FILE.yaml`: trains what a topology file describes. Reads the file, checks what can be checked, hands it
 * to the launch, and shows how it goes.
 */
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { RunEvent } from '../run/run_port.ts';
import type { Topology } from '../topology/index.ts';
import { continueLine } from './continue_line.ts';
import { endEarly, hearPending } from './early_interrupt.ts';
import { examples } from './examples.ts';
import { canGoOn, exitCodes, reportFailure } from './failure.ts';
import type { Finish } from './finish.ts';
import { endAtOnce, interruptSignal } from './interrupt.ts';
import { stderr, stdout } from './output.ts';
import { watchedParent, watchParent } from './parent.ts';
import { launchTarget } from './launch_target.ts';
import { pathArgument } from './path_argument.ts';
import { Progress } from './progress.ts';
import { screenOf } from './screen.ts';
import { summaryLines } from './summary.ts';
import { setOption, stepsOption, type TopologyFlags } from './topology_options.ts';

/** The parent at the start: by the time that a run begins it may be gone. */
const parentPid = process.ppid;

interface LaunchFlags extends TopologyFlags {
  readonly runDir?: string;
  /** True where it has no value. */
  readonly resume?: string | true;
  readonly allowCode?: true;
  readonly quiet?: true;
  readonly dryRun?: true;
  readonly verbose?: true;
}

/** Adds the command; `finish` is told its exit code. */
export function addLaunch(program: Command, finish: Finish): void {
  program
    .command('launch')
    .description('train the model that a topology file describes')
    .argument('[FILE.yaml]', 'topology file, for example configs/quickstart.yaml', pathArgument)
    .option(...setOption)
    .option(...stepsOption)
    .option('--run-dir <DIR>', 'run directory (default: runs/<name>-<time>)', pathArgument)
    .option(
      '--resume [RUN_DIR]',
      'continue a run from its newest checkpoint, by its own config or FILE.yaml',
      pathArgument,
    )
    .option(
      '--allow-code',
      'with --resume RUN_DIR alone: run the module of sublayers that its config names, if it does',
    )
    .option('--dry-run', 'check file, texts and run directory, show the plan, and start nothing')
    .option('--quiet', 'print the result only')
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['launch configs/quickstart.yaml', 'train'],
        ['launch my.yaml --dry-run', 'check everything, start nothing'],
        ['launch my.yaml --set cluster.nodes=4 --steps 1000', 'change keys for this run'],
        ['launch --resume runs/mine', 'go on from the newest checkpoint'],
        ['launch my.yaml --resume runs/mine', 'go on with what has changed in the file'],
      ]),
    )
    .action(async (file: string | undefined, flags: LaunchFlags) =>
      finish(await train(file, flags), flags.dryRun === true ? 'output' : 'files'),
    );
}

async function train(named: string | undefined, flags: LaunchFlags): Promise<number> {
  const { file, runDir: directory, resume, isOfRun } = launchTarget(named, flags);
  const nowMs = Date.now();
  const { RunDirectory } = await import('../telemetry/index.ts');
  // Before its config is read, which says less of what is wrong.
  if (isOfRun) RunDirectory.check({ directory: directory ?? null, parent: 'runs', name: '', resume, nowMs });
  const { readTopology } = await import('./topology_file.ts');
  const topology = readTopology(file, flags);
  const baseDir = dirname(resolve(file));
  const place = { directory: directory ?? null, parent: 'runs', name: topology.name, resume, nowMs };
  const runDir = RunDirectory.check(place);
  const allowCode = flags.allowCode === true;
  const sublayersDigest = await checkedModule({ topology, baseDir, runDir, resume, isOfRun, allowCode });
  if (flags.dryRun === true) {
    await hearPending();
    // It has threads and native code, which an exit would end in the midst of their work; a signal itself does not.
    endEarly();
    const { rehearse } = await import('./rehearse.ts');
    return await rehearse({ topology, baseDir, runDir, sublayersDigest });
  }
  const { checkFits } = await import('./preflight.ts');
  const warning = await checkFits(topology, baseDir, sublayersDigest);
  await hearPending();

  const clockMs = (): number => performance.now();
  const startMs = clockMs();
  const screen = await screenOf(process.stdout, stdout);
  const progress =
    flags.quiet === true ? null : new Progress({ screen, totalSteps: topology.training.steps, nowMs: clockMs });
  if (warning !== null) progress?.observe({ kind: 'notice', text: warning });
  let checkpointPath: string | null = null;
  // A new run has its config from the start, one that is resumed once it is ready.
  let hasConfig = !resume;
  let hasBegun = false;
  /** Its directory, once it has a checkpoint. */
  let resumable = resume ? (directory ?? null) : null;
  const observe = (event: RunEvent): void => {
    if (event.kind === 'checkpoint') {
      checkpointPath = event.path;
      resumable = directory ?? dirname(dirname(event.path));
    }
    if (event.kind === 'ready') hasConfig = hasBegun = true;
    progress?.observe(event);
  };
  const runsCode = topology.model.sublayers !== null;
  const sayHowToGoOn = (): void => {
    if (hasBegun && resumable !== null) stderr.print(continueLine({ runDir: resumable, runsCode, overrides: [] }));
  };

  using interrupt = interruptSignal({
    nowMs: clockMs,
    announce: () => progress?.observe({ kind: 'notice', text: announcement }),
    kill: () => {
      progress?.end();
      stderr.print('troupe: ended at once, without the checkpoint');
      sayHowToGoOn();
      endAtOnce();
    },
    env: process.env,
  });
  using _parent = watchParent({
    watched: watchedParent(process.env, parentPid),
    parentPid: () => process.ppid,
    onGone: () => interrupt.hangUp(),
  });
  endEarly();
  try {
    const { launch } = await import('../run/launch.ts');
    const there = directory === undefined ? {} : { runDir: directory };
    const { signal } = interrupt;
    const outcome = await launch(topology, { baseDir, ...there, resume, sublayersDigest, signal, observe });
    progress?.end();
    const elapsedMs = clockMs() - startMs;
    const unwritten = hasConfig
      ? { overrides: [] }
      : { file: isOfRun ? undefined : file, overrides: overridesOf(flags) };
    const objective = topology.objective.kind;
    for (const line of summaryLines({ outcome, elapsedMs, objective, runsCode, ...unwritten, checkpointPath })) {
      stdout.print(line);
    }
    return outcome.status === 'done' ? exitCodes.done : exitCodes.interrupted;
  } catch (error) {
    progress?.end();
    const exitCode = reportFailure(error, stderr, flags.verbose === true);
    if (canGoOn(error)) sayHowToGoOn();
    return exitCode;
  }
}

const announcement = 'interrupted: writing a checkpoint ... (a second Ctrl-C ends the run at once, without one)';

interface Module {
  readonly topology: Topology;
  readonly baseDir: string;
  readonly runDir: string;
  readonly resume: boolean;
  readonly isOfRun: boolean;
  readonly allowCode: boolean;
}

/**
 * Before anything of the model's module is run: may it be, and is it, with all else, what the run began with? Returns its
 * digest, which every later look at it is held against; null where there is none.
 */
async function checkedModule(module: Module): Promise<string | null> {
  const { topology, baseDir, runDir, resume, isOfRun, allowCode } = module;
  if (isOfRun) {
    const { checkForeignCode } = await import('../run/foreign_code.ts');
    checkForeignCode(`run directory ${runDir}`, { topology, baseDir, isAllowed: allowCode });
  }
  const models = await import('../models/load_sublayers.ts');
  const sublayersDigest = models.sublayersDigest(topology, baseDir);
  if (resume) {
    const { checkResume } = await import('../run/take_up.ts');
    await checkResume({ topology, sublayersDigest }, runDir);
  } else {
    const { checkStart } = await import('../run/starting_point.ts');
    await checkStart(topology, baseDir);
  }
  return sublayersDigest;
}

/** The options that changed the topology, as they were given. */
function overridesOf(flags: LaunchFlags): string[] {
  const steps = flags.steps === undefined ? [] : ['--steps', flags.steps];
  return [...(flags.set ?? []).flatMap((override) => ['--set', override]), ...steps];
}
