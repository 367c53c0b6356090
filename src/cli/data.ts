/** `troupe data show FILE`: rows of data as a model will see them, and statistics of all rows. Nothing is written. */
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { PlacedTopology } from '../run/shown_rows.ts';
import { visibleText } from '../visible_text.ts';
import { examples } from './examples.ts';
import { exitCodes } from './failure.ts';
import type { Finish } from './finish.ts';
import { stdout } from './output.ts';
import { pathArgument } from './path_argument.ts';
import { screenOf } from './screen.ts';
import { wholeNumber } from './whole_number.ts';

interface ShowFlags {
  readonly topology?: string;
  readonly rows: number;
  readonly json?: true;
}

/** Adds the command; `finish` is told its exit code. */
export function addData(program: Command, finish: Finish): void {
  const data = program.command('data').description('look at rows of data: chats, preferences, ratings, texts');
  data
    .command('show')
    .description('show rows as a model will see them, trained tokens marked, and how long all of them are')
    .argument('<FILE>', 'file of rows, one JSON object a line or one array of them, plain or .gz', pathArgument)
    .option('--topology <T>', 'topology file whose tokenizer, lengths and keys count (default: bytes)', pathArgument)
    .option('--rows <N>', 'rows to show, from the first on', wholeNumber(0), 3)
    .option('--json', 'print one JSON object')
    .option('--verbose', 'show the stack of a failure')
    .addHelpText(
      'after',
      examples([
        ['data show chats.jsonl', 'what is learnt of them, and how many are too long'],
        ['data show chats.jsonl --topology mine.yaml', "with a run's own tokenizer, template and lengths"],
        ['data show rated.jsonl.gz --rows 0', 'statistics only'],
      ]),
    )
    .action(async (file: string, flags: ShowFlags) => finish(await show(file, flags), 'output'));
}

async function show(file: string, { topology, rows: most, json }: ShowFlags): Promise<number> {
  const { openRows } = await import('../run/shown_rows.ts');
  const { rowLines, rowsHead, statisticsLines } = await import('./row_lines.ts');
  const { rowJson, rowsJson } = await import('./row_json.ts');
  const rows = await openRows(file, topology === undefined ? null : await placed(topology));
  const print = (line: string): void => {
    if (json !== true) stdout.print(line);
  };
  for (const line of rowsHead(file, rows)) print(line);
  const firstRows = [];
  let number = 0;
  for await (const row of rows.first(most)) {
    number += 1;
    if (json === true) firstRows.push(rowJson(row, rows));
    else for (const line of rowLines(number, row, rows)) print(line);
  }
  // Long files take minutes; on a terminal one sees how far they are.
  const screen = await screenOf(process.stdout, stdout);
  const read = ({ doneBytes }: { doneBytes: number }): void => {
    if (json !== true) screen.draw(`reading rows: ${Math.round(doneBytes / 2 ** 20)} MiB`);
  };
  const statistics = await rows.statistics(read, () => stdout.isUnread);
  if (json === true) stdout.print(JSON.stringify(rowsJson(file, rows, firstRows, statistics)));
  else for (const line of statisticsLines(rows, statistics)) screen.print(visibleText(line));
  return exitCodes.done;
}

async function placed(file: string): Promise<PlacedTopology> {
  const { readTopology } = await import('./topology_file.ts');
  return { topology: readTopology(file, {}), baseDir: dirname(resolve(file)) };
}
