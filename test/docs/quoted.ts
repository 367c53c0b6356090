/** What a page says that a command prints, against what it has printed: the words are compared, the figures are not. */

/** The first line of `quoted` that `printed` has not, or not in this order; null if it has all. `...` is no line. */
export function missingLine(quoted: string, printed: string): string | null {
  const lines = printed.split('\n').map(masked);
  let from = 0;
  for (const line of quoted.split('\n')) {
    if (line === '...') continue;
    const found = lines.indexOf(masked(line), from);
    if (found === -1) return line;
    from = found + 1;
  }
  return null;
}

/** With `#` for every figure, and for the letter of its unit: `12.6 k` and `950` are both a speed. */
const masked = (line: string): string => line.trimEnd().replaceAll(/\d[\d.]*( [kMG](?=\s))?/g, '#');
