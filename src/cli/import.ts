/** `troupe import`: makes a run directory of a model as Hugging Face lays it out. */
import type { Command } from 'commander';
import { examples } from './examples.ts';
import { exitCodes, lineOf } from './failure.ts';
import type { Finish } from './finish.ts';
import { interruptibly } from './interruptible.ts';
import { stderr, stdout } from './output.ts';
import { pathArgument } from './path_argument.ts';
import { setOption } from './topology_options.ts';

interface ImportFlags {
  readonly set?: readonly string[];
}

/** Adds the command; `finish` is told its exit code. */
export function addImport(program: Command, finish: Finish): void {
  program
    .command('import')
    .description('make a run directory of a model as Hugging Face lays it out')
    .argument('<HF_DIR>', 'folder with config.json and *.safetensors', pathArgument)
    .argument('<RUN_DIR>', 'run directory to make', pathArgument)
    .option(...setOption)
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['import downloads/llama runs/llama', 'then generate, or begin a run with from: runs/llama'],
        ['import downloads/llama runs/llama --set training.sequence_length=2048', 'longer texts than 512 tokens'],
      ]),
    )
    .action(async (folder: string, runDir: string, flags: ImportFlags) =>
      finish(await interruptibly((signal) => importFolder(folder, runDir, flags, signal)), 'files'),
    );
}

async function importFolder(
  folder: string,
  runDir: string,
  { set = [] }: ImportFlags,
  signal: AbortSignal,
): Promise<number> {
  const { importModel } = await import('../run/import_model.ts');
  const { parseOverride } = await import('../topology/index.ts');
  const notice = (text: string): void => stderr.print(lineOf(text));
  const overrides = set.map(parseOverride);
  const { tensors, parameters, architecture, kept } = await importModel({
    folder,
    runDir,
    overrides,
    notice,
    signal,
  });
  stdout.print(
    `imported ${folder}: ${architecture}, ${parameters.toLocaleString('en')} parameters in ${tensors} tensors, with ${kept.join(', ')}`,
  );
  const next = kept.includes('tokenizer.json') ? `troupe generate --checkpoint ${runDir} --prompt "The "` : null;
  stdout.print(`next: ${next === null ? '' : `npx ${next}, or `}from: ${runDir} in a topology file`);
  return exitCodes.done;
}
