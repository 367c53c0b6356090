/**
 * `troupe doctor`: what this machine has for a run and what it lacks. Each check returns a finding and changes nothing;
 * they go one after another, since one of them measures speed.
 */
import type { Command } from 'commander';
import { examples } from './examples.ts';
import { exitCodes } from './failure.ts';
import type { Finish } from './finish.ts';
import { stdout } from './output.ts';
import { canRun, type Finding } from './checks/finding.ts';

/** Adds the command; `finish` is told its exit code. */
export function addDoctor(program: Command, finish: Finish): void {
  program
    .command('doctor')
    .description('check what this machine has for a run, and say how to mend what it lacks')
    .option('--json', 'print the findings as one JSON object')
    .option('--verbose', 'show the stack of a failure')
    .addHelpText('after', examples([['doctor', 'what is missing, and how to mend it']]))
    .action(async (flags: { readonly json?: true }) => finish(await doctor(flags.json === true), 'output'));
}

async function doctor(asJson: boolean): Promise<number> {
  const { rowsOf, verdictOf } = await import('./checks/findings_table.ts');
  const findings: Finding[] = [];
  for await (const finding of findingsOfThisMachine()) {
    findings.push(finding);
    if (!asJson) for (const row of rowsOf(finding)) stdout.print(row);
  }
  if (asJson) stdout.print(JSON.stringify({ can_run: canRun(findings), findings }, null, 2));
  else stdout.print(verdictOf(findings));
  return canRun(findings) ? exitCodes.done : exitCodes.failed;
}

async function* findingsOfThisMachine(): AsyncGenerator<Finding> {
  yield (await import('./checks/node.ts')).checkNode();
  yield await (await import('./checks/nats_server.ts')).checkNatsServer();
  yield await (await import('./checks/cpu.ts')).checkCpu();
  yield await (await import('./checks/gpu.ts')).checkGpu();
  yield await (await import('./checks/loopback.ts')).checkLoopback();
  yield (await import('./checks/store.ts')).checkStore();
  yield (await import('./checks/disk.ts')).checkDisk();
  yield (await import('./checks/memory.ts')).checkMemory();
}
