/** `troupe drain`: has a node of a run give its roles to others, and leave. */
import type { Command } from 'commander';
import { clusterOption, natsOption, serverOf, tokenFileOption, type ServerFlags } from './cluster_options.ts';
import { examples } from './examples.ts';
import { exitCodes } from './failure.ts';
import type { Finish } from './finish.ts';
import { stdout } from './output.ts';

/** Adds the command; `finish` is told its exit code. */
export function addDrain(program: Command, finish: Finish): void {
  program
    .command('drain')
    .description('have a node of a run give its roles to others, and leave')
    .argument('<NODE>', 'name of the node, such as node-1')
    .requiredOption(...natsOption)
    .requiredOption(...clusterOption)
    .option(...tokenFileOption)
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([['drain node-1 --nats nats://10.0.0.7:4222 --cluster mine', 'before its machine goes']]),
    )
    .action(async (node: string, flags: ServerFlags) => finish(await drain(node, flags), 'output'));
}

async function drain(node: string, flags: ServerFlags): Promise<number> {
  const { drainNode } = await import('../run/drain_node.ts');
  const { ms, nodes } = await drainNode({ server: serverOf(flags), cluster: flags.cluster, node });
  stdout.print(`${node}: drained in ${(ms / 1000).toFixed(1)} s; its roles are on ${nodes.join(', ')}`);
  return exitCodes.done;
}
