/** `troupe generate`: continues a prompt with a trained model, read from a checkpoint. */
import { type Command, InvalidArgumentError } from 'commander';
import { textWriter } from '../visible_text.ts';
import { examples } from './examples.ts';
import { exitCodes, lineOf } from './failure.ts';
import type { Finish } from './finish.ts';
import { stderr, stdout } from './output.ts';
import { pathArgument } from './path_argument.ts';
import { wholeNumber } from './whole_number.ts';

interface GenerateFlags {
  readonly checkpoint: string;
  readonly prompt: string;
  readonly chat?: true;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  readonly allowCode?: true;
}

/** Adds the command; `finish` is told its exit code. */
export function addGenerate(program: Command, finish: Finish): void {
  program
    .command('generate')
    .description('continue a prompt with a trained model')
    .requiredOption(
      '--checkpoint <DIR>',
      'checkpoint, or the run directory whose newest one to use (required)',
      pathArgument,
    )
    .requiredOption('--prompt <TEXT>', 'text to continue, or with --chat what the user says (required)')
    .option('--chat', 'put the prompt as the chat template writes a turn of the user, and write the answer only')
    .option('--max-tokens <N>', 'tokens to generate', wholeNumber(1), 200)
    .option('--temperature <T>', 'randomness: 0 takes the likeliest token', notNegative, 0.8)
    .option('--seed <S>', 'seed of the random choices', wholeNumber(0), 1)
    .option('--allow-code', 'run the module of sublayers that the checkpoint names, if it names one')
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['generate --checkpoint runs/mine --prompt "The "', 'from the newest checkpoint of a run'],
        ['generate --checkpoint runs/mine --chat --prompt "2+2?"', 'the answer of a model that was trained on chats'],
        ['generate --checkpoint runs/mine --prompt "" --temperature 0', 'the likeliest beginning'],
      ]),
    )
    .action(async (flags: GenerateFlags) => finish(await generate(flags), 'output'));
}

async function generate(flags: GenerateFlags): Promise<number> {
  const actors = await import('../run/generate.ts');
  await actors.generate({
    checkpointDir: flags.checkpoint,
    prompt: flags.prompt,
    isChat: flags.chat === true,
    maxTokens: flags.maxTokens,
    temperature: flags.temperature,
    seed: flags.seed,
    allowCode: flags.allowCode === true,
    write: textWriter(stdout, process.stdout.isTTY),
    notice: (text) => stderr.print(lineOf(text)),
  });
  stdout.write('\n');
  return exitCodes.done;
}

function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('Allowed: a number, 0 or more.');
}
