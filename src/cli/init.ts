/** `troupe init`: writes a commented topology file for one's own texts or rows of data. Never over a file that exists. */
import { writeFileSync } from 'node:fs';
import { basename, dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { codeOf } from '../system_error.ts';
import { examples } from './examples.ts';
import { exitCodes } from './failure.ts';
import type { Finish } from './finish.ts';
import { stdout } from './output.ts';
import { pathArgument } from './path_argument.ts';
import { starter } from './starter.ts';
import { UsageError } from './usage_error.ts';

const usualTexts = 'texts/**/*.txt';

interface InitFlags {
  readonly data?: string;
  readonly name?: string;
}

/** Adds the command; `finish` is told its exit code. */
export function addInit(program: Command, finish: Finish): void {
  program
    .command('init')
    .description('write a commented topology file for texts or rows of data of your own')
    .argument('[FILE.yaml]', 'file to write', pathArgument, 'troupe.yaml')
    .option('--data <GLOB>', `the texts, as seen from the working directory (default: ${usualTexts})`, pathArgument)
    .option('--name <NAME>', "the run's name (default: that of the working directory)")
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ["init --data 'texts/**/*.txt'", 'writes troupe.yaml'],
        ["init poems.yaml --data '../poems/*.md' --name poems", 'another file, other texts'],
      ]),
    )
    .action(async (file: string, flags: InitFlags) => finish(await init(file, flags), 'files'));
}

async function init(file: string, { data: given, name = nameOf(resolve('.')) }: InitFlags): Promise<number> {
  const { checkMatches, matchesNothing } = await import('./matching_texts.ts');
  const { kindOfData } = await import('./kind_of_data.ts');
  const { parseTopology } = await import('../topology/index.ts');
  if (given !== undefined) checkMatches(given, resolve('.'));
  const data = given ?? usualTexts;
  const kind = given === undefined ? 'files' : await kindOfData(given, resolve('.'));
  const folder = dirname(resolve(file));
  const parts = { glob: seenFrom(folder, resolve(data)), kind, schema: schemaSeenFrom(folder) };
  parseTopology(starter({ ...parts, name: 'run' }), file, [{ path: ['name'], value: name, source: `--name ${name}` }]);
  try {
    writeFileSync(file, starter({ ...parts, name }), { flag: 'wx' });
  } catch (error) {
    const code = codeOf(error);
    const reason = reasons.get(code) ?? `cannot be written (${code})`;
    throw new UsageError(`${file}: ${reason}; name another file: troupe init other.yaml`);
  }
  stdout.print(`wrote ${file}: a small Switch Transformer on ${data}${kinds[kind]}`);
  // One that was given has been looked for.
  if (given === undefined && matchesNothing(data, resolve('.'))) {
    stdout.print(`no file matches ${data} yet: put your texts there, or name others by data.blend[0].glob`);
  }
  stdout.print(`next: npx troupe launch ${file} --dry-run`);
  return exitCodes.done;
}

/** What is said of rows of each kind. */
const kinds = {
  files: '',
  text: ', rows of texts',
  chat: ', rows of chats',
  attributes: ', rows of rated answers',
} as const;

const reasons = new Map([
  ['EEXIST', 'exists already'],
  ['ENOENT', 'its folder does not exist'],
]);

/** A path of a file of the folder, with `/`, as globs have it. */
const seenFrom = (folder: string, path: string): string => relative(folder, path).split(sep).join('/');

/** Below the working directory an editor will find it where it is now; elsewhere it may not stay. */
function schemaSeenFrom(folder: string): string | null {
  const schema = fileURLToPath(new URL('../../configs/topology.schema.json', import.meta.url));
  return schema.startsWith(resolve('.') + sep) ? seenFrom(folder, schema) : null;
}

/** The folder's name, as far as a run may have it. */
const nameOf = (folder: string): string =>
  basename(folder)
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '') || 'run';
