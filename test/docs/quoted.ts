/** What a page says that something prints, against what it has printed. `...` stands for lines that are left out. */

export interface QuotedOptions {
  /** Times, speeds and losses differ; what a program computes may not. */
  readonly areFiguresCompared: boolean;
}

/** The first line of `quoted` that `printed` has not, or not in this order; null if it has all. */
export function missingLine(quoted: string, printed: string, { areFiguresCompared }: QuotedOptions): string | null {
  const comparable = areFiguresCompared ? (line: string) => line.trimEnd() : masked;
  const lines = printed.split('\n').map(comparable);
  let from = 0;
  for (const line of quoted.split('\n')) {
    if (line === '...') continue;
    const found = lines.indexOf(comparable(line), from);
    if (found === -1) return line;
    from = found + 1;
  }
  return null;
}

/** With `#` for every figure, and for the letter of its unit: `12.6 k` and `950` are both a speed. */
const masked = (line: string): string => line.trimEnd().replaceAll(/\d[\d.]*( [kMG](?=\s))?/g, '#');
