/** `troupe join`: adds this machine to a run that is under way. */
import type { Command } from 'commander';
import { clusterOption, natsOption, serverOf, tokenFileOption, type ServerFlags } from './cluster_options.ts';
import { examples } from './examples.ts';
import { exitCodes, lineOf } from './failure.ts';
import type { Finish } from './finish.ts';
import { endAtOnce, interruptSignal } from './interrupt.ts';
import { stderr } from './output.ts';
import { wholeNumber } from './whole_number.ts';

interface JoinFlags extends ServerFlags {
  readonly workers: number;
  readonly device?: string;
}

/** Adds the command; `finish` is told its exit code. */
export function addJoin(program: Command, finish: Finish): void {
  program
    .command('join')
    .description('add this machine to a run that is under way')
    .requiredOption(...natsOption)
    .requiredOption(...clusterOption)
    .option(...tokenFileOption)
    .option('--workers <N>', 'worker threads, each with a device of its own', wholeNumber(1), 1)
    .option('--device <DEVICE>', 'cpu, webgpu or auto, as cluster.device has it; default: the device of the run')
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['join --nats nats://10.0.0.7:4222 --cluster mine', 'a worker more; Ctrl-C gives its roles back and leaves'],
      ]),
    )
    .action(async (flags: JoinFlags) => finish(await join(flags), 'output'));
}

async function join(flags: JoinFlags): Promise<number> {
  const { joinRun } = await import('../run/join_run.ts');
  using interrupt = interruptSignal({
    nowMs: () => performance.now(),
    announce: () => undefined,
    kill: endAtOnce,
    env: process.env,
  });
  const { signal } = interrupt;
  const { cluster, workers, device = null } = flags;
  const notice = (text: string): void => stderr.print(lineOf(text));
  await joinRun({ server: serverOf(flags), cluster, workers, device, notice, signal });
  return signal.aborted ? exitCodes.interrupted : exitCodes.done;
}
