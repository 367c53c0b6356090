/**
 * The `troupe` command: its verbs, and what becomes of failures. Usage errors end with 2, failures with 1 or the code that
 * the error carries; each is one line on standard error, with the stack where `--verbose` was given.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addCompletion } from './completion.ts';
import { addDoctor } from './doctor.ts';
import { exitCodes, failureOf } from './failure.ts';
import { addGenerate } from './generate.ts';
import { addInit } from './init.ts';
import { addLaunch } from './launch.ts';
import { addPlan } from './plan.ts';

/** Runs one command line, without the program's name; returns the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const finish = (code: number): void => {
    exitCode = code;
  };
  const program = new Command('troupe')
    .description('Trains mixture-of-experts language models as a company of actors.')
    .version(version())
    // Our own line is printed below; commander would add its own.
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  addInit(program, finish);
  addLaunch(program, finish);
  addPlan(program, finish);
  addGenerate(program, finish);
  addDoctor(program, finish);
  addCompletion(program, finish);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return usageExit(error);
    const failure = failureOf(error);
    console.error(failure.line);
    if (args.includes('--verbose') && error instanceof Error) console.error(error.stack);
    return failure.exitCode;
  }
}

/** Help and version are no errors; help that was not asked for was printed where usage was wrong. */
function usageExit(error: CommanderError): number {
  if (error.exitCode === 0) return exitCodes.done;
  if (error.code !== 'commander.help') {
    const message = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
    console.error(`troupe: ${message} (troupe --help lists what there is)`);
  }
  return exitCodes.usage;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const manifest: unknown = JSON.parse(text);
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '0';
}
