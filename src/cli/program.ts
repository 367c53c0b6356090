/**
 * The `troupe` command: its verbs, and what becomes of failures. Usage errors end with 2, failures with 1 or the code that
 * the error carries; each is a line on standard error, with the stack where `--verbose` was given.
 */
import { Command, CommanderError } from 'commander';
import { addCompletion } from './completion.ts';
import { addData } from './data.ts';
import { addDoctor } from './doctor.ts';
import { endEarly } from './early_interrupt.ts';
import { addDrain } from './drain.ts';
import { addExport } from './export.ts';
import { exitCodes, lineOf, reportFailure } from './failure.ts';
import type { Finish, Product } from './finish.ts';
import { addGenerate } from './generate.ts';
import { addImport } from './import.ts';
import { addInit } from './init.ts';
import { addJoin } from './join.ts';
import { addLaunch } from './launch.ts';
import { stderr, stdout } from './output.ts';
import { addPlan } from './plan.ts';
import { productVersion } from '../run/product_version.ts';

/** Runs one command line, without the program's name; returns the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const ended: { exitCode: number; product: Product } = { exitCode: exitCodes.done, product: 'output' };
  try {
    await commandsOf((exitCode, product) => Object.assign(ended, { exitCode, product })).parseAsync(args, {
      from: 'user',
    });
  } catch (error) {
    ended.exitCode =
      error instanceof CommanderError ? usageExit(error) : reportFailure(error, stderr, args.includes('--verbose'));
  }
  await Promise.all([stdout.settled(), stderr.settled()]);
  for (const { lossLine } of [stdout, stderr]) if (lossLine !== null) stderr.print(`troupe: ${lossLine}`);
  const isFailed = stdout.lost !== null && ended.product === 'output' && ended.exitCode === exitCodes.done;
  return isFailed ? exitCodes.failed : ended.exitCode;
}

function commandsOf(finish: Finish): Command {
  const program = new Command('troupe')
    .description('Trains mixture-of-experts language models as a company of actors.')
    .version(productVersion)
    // Our own line is printed below; commander would add its own.
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
    })
    .exitOverride()
    .hook('preAction', (_program, command) => {
      // What has something to lose hears the signals itself.
      if (!['launch', 'join'].includes(command.name())) endEarly();
    });
  addInit(program, finish);
  addLaunch(program, finish);
  addJoin(program, finish);
  addDrain(program, finish);
  addPlan(program, finish);
  addGenerate(program, finish);
  addImport(program, finish);
  addExport(program, finish);
  addData(program, finish);
  addDoctor(program, finish);
  addCompletion(program, finish);
  return program;
}

/** Help and version are no errors; help that was not asked for was printed where usage was wrong. */
function usageExit(error: CommanderError): number {
  if (error.exitCode === 0) return exitCodes.done;
  if (error.code !== 'commander.help') {
    const message = error.message.replace(/^error: /, '').trim();
    stderr.print(lineOf(`${message} (troupe --help lists what there is)`));
  }
  return exitCodes.usage;
}
