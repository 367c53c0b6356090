/** A table in plain text: words flush left, numbers flush right, two spaces between, a row at most for each line given. */

export interface Column {
  readonly title: string;
  readonly side: 'left' | 'right';
}

export const words = (title: string): Column => ({ title, side: 'left' });
export const numbers = (title: string): Column => ({ title, side: 'right' });

/**
 * The table's lines, the first of them its titles. Rows past `most` are counted in a last line and left out; `of` says how
 * many rows there are where only those that are shown were made, and `listed` how many of them `--json` has.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  most = Infinity,
  of = rows.length,
  listed = Infinity,
): string[] {
  const shown = rows.slice(0, most);
  const cells = [columns.map(({ title }) => title), ...shown];
  const widths = columns.map((_, at) => cells.reduce((width, row) => Math.max(width, row[at].length), 0));
  const lines = cells.map((row) =>
    row
      .map((cell, at) => (columns[at].side === 'left' ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
      .join('  ')
      .trimEnd(),
  );
  const elsewhere = of > listed ? `the first ${listed}` : 'all';
  return of > shown.length ? [...lines, `... and ${of - shown.length} more; --json has ${elsewhere}`] : lines;
}
