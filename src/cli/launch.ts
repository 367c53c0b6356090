/**
 * `troupe launch FILE.yaml`: trains what a topology file describes. Reads the file, takes a run directory, hands both to
 * the run, and shows how it goes.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { RunEvent } from '../actors/run_port.ts';
import { RunDirectory } from '../telemetry/index.ts';
import { dumpTopology, type Override, parseOverride, parseTopology, rebaseTopology } from '../topology/index.ts';
import { exitCodes } from './failure.ts';
import { interruptSignal } from './interrupt.ts';
import { Progress } from './progress.ts';
import { screenOf } from './screen.ts';
import { summaryLines } from './summary.ts';
import { UsageError } from './usage_error.ts';

interface LaunchFlags {
  readonly set: readonly string[];
  readonly steps?: string;
  readonly runDir?: string;
  readonly resume?: true;
  readonly quiet?: true;
}

/** Adds the command; `finish` is told its exit code. */
export function addLaunch(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('launch')
    .description('train the model that a topology file describes')
    .argument('<FILE.yaml>', 'topology file, for example configs/quickstart.yaml')
    .option('--set <KEY=VALUE>', 'set a key for this run, for example training.steps=100', collect, [])
    .option('--steps <N>', 'short for --set training.steps=N')
    .option('--run-dir <DIR>', 'run directory (default: runs/<name>-<time>)')
    .option('--resume', 'continue the run in --run-dir from its newest checkpoint')
    .option('--quiet', 'print the result only')
    .option('--verbose', 'show the stack of a failure')
    .action(async (file: string, flags: LaunchFlags) => finish(await launch(file, flags)));
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

async function launch(file: string, flags: LaunchFlags): Promise<number> {
  if (flags.resume === true && flags.runDir === undefined) {
    throw new UsageError('--resume needs --run-dir: name the directory of the run to continue');
  }
  const topology = parseTopology(readTopologyFile(file), file, overridesOf(flags));
  const baseDir = dirname(resolve(file));
  const directory = RunDirectory.open({
    directory: flags.runDir ?? null,
    parent: 'runs',
    name: topology.name,
    resume: flags.resume === true,
    nowMs: Date.now(),
  });
  const config = dumpTopology(rebaseTopology(topology, baseDir, resolve(directory.path)));
  // A resume that is refused must leave the config of the run that the directory holds.
  if (flags.resume !== true) directory.writeConfig(config);

  const nowMs = (): number => performance.now();
  const startMs = nowMs();
  const screen = screenOf(process.stdout);
  const progress = flags.quiet === true ? null : new Progress({ screen, totalSteps: topology.training.steps, nowMs });
  let checkpointPath: string | null = null;
  const observe = (event: RunEvent): void => {
    if (event.kind === 'ready' && flags.resume === true) directory.writeConfig(config);
    if (event.kind === 'checkpoint') checkpointPath = event.path;
    progress?.observe(event);
  };

  using interrupt = interruptSignal({
    nowMs,
    announce: () => progress?.observe({ kind: 'notice', text: 'interrupted: writing a checkpoint ...' }),
    // Not an exit: native code in a worker could not be left in the middle.
    kill: () => process.kill(process.pid, 'SIGKILL'),
  });
  try {
    const { run } = await import('../actors/run.ts');
    const outcome = await run({
      topology,
      baseDir,
      runDir: directory.path,
      resume: flags.resume === true,
      signal: interrupt.signal,
      observe,
    });
    progress?.end();
    const elapsedMs = nowMs() - startMs;
    const summary = { outcome, elapsedMs, arguments: argumentsOf(file, flags), checkpointPath };
    for (const line of summaryLines(summary)) console.log(line);
    return outcome.status === 'done' ? exitCodes.done : exitCodes.interrupted;
  } finally {
    progress?.end();
    directory.release();
  }
}

/** What a resume has to be given again: its config must be the one that the run began with. */
function argumentsOf(file: string, flags: LaunchFlags): string[] {
  const steps = flags.steps === undefined ? [] : ['--steps', flags.steps];
  return [file, ...flags.set.flatMap((override) => ['--set', override]), ...steps];
}

function overridesOf(flags: LaunchFlags): Override[] {
  const overrides = flags.set.map(parseOverride);
  if (flags.steps === undefined) return overrides;
  const { path, value } = parseOverride(`training.steps=${flags.steps}`);
  return [...overrides, { path, value, source: `--steps ${flags.steps}` }];
}

function readTopologyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const reason = code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`;
    throw new UsageError(`${file}: ${reason}; give a topology file, for example configs/quickstart.yaml`);
  }
}
