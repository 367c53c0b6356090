/** What stands below the help of a command: how it is called, and what for. */
import { table, words } from './table.ts';

/** A block for commander's `addHelpText('after', ...)`: command lines without the program's name, and what each does. */
export function examples(rows: readonly (readonly [line: string, meaning: string])[]): string {
  const [, ...lines] = table(
    [words(''), words('')],
    rows.map(([line, meaning]) => [`  $ troupe ${line}`, meaning]),
  );
  return ['', 'Examples:', ...lines].join('\n');
}
