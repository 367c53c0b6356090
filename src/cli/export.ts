/** `troupe export`: makes a folder as Hugging Face lays it out of a checkpoint. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseBytes } from '../topology/byte_size.ts';
import type { HfDtype } from '../models/exported_config.ts';
import { examples } from './examples.ts';
import { exitCodes, lineOf } from './failure.ts';
import type { Finish } from './finish.ts';
import { interruptibly } from './interruptible.ts';
import { stderr, stdout } from './output.ts';
import { pathArgument } from './path_argument.ts';

interface ExportFlags {
  readonly dtype?: HfDtype;
  readonly shardSize: number;
}

/** Adds the command; `finish` is told its exit code. */
export function addExport(program: Command, finish: Finish): void {
  program
    .command('export')
    .description('make a folder as Hugging Face lays it out of a checkpoint')
    .argument('<CHECKPOINT>', 'checkpoint, or the run directory whose newest one to use', pathArgument)
    .argument('<HF_DIR>', 'folder to make', pathArgument)
    .addOption(
      new Option('--dtype <DTYPE>', 'of the tensors (default: as the model was imported, else float32)').choices([
        'float32',
        'bfloat16',
        'float16',
      ]),
    )
    .option('--shard-size <SIZE>', 'bytes of a file at most', bytes, bytes('5GB'))
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['export runs/mine mine-hf', 'the newest checkpoint of a run'],
        ['export runs/mine/checkpoints/step-000100.g1 mine-hf --dtype bfloat16', 'one checkpoint, in half the bytes'],
      ]),
    )
    .action(async (checkpoint: string, folder: string, flags: ExportFlags) =>
      finish(await interruptibly((signal) => exportCheckpoint(checkpoint, folder, flags, signal)), 'files'),
    );
}

async function exportCheckpoint(
  checkpointDir: string,
  folder: string,
  { dtype, shardSize: shardBytes }: ExportFlags,
  signal: AbortSignal,
): Promise<number> {
  const { exportModel } = await import('../run/export_model.ts');
  const notice = (text: string): void => stderr.print(lineOf(text));
  const asked = { checkpointDir, folder, shardBytes, notice, signal, ...(dtype === undefined ? {} : { dtype }) };
  const { path, tensors, files, dtype: written } = await exportModel(asked);
  const where = files === 1 ? '1 file' : `${files} files`;
  stdout.print(`exported ${path}: ${tensors} tensors (${written}) in ${where} of ${folder}`);
  return exitCodes.done;
}

function bytes(text: string): number {
  const value = parseBytes(text);
  if (value !== null) return value;
  throw new InvalidArgumentError('Allowed: a size such as 5GB or 512MiB.');
}
