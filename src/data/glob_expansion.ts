/**
 * How many patterns a glob's braces stand for. The matcher makes all of them before it looks at a folder, so that twenty
 * pairs of braces are a million patterns and hold the launch for minutes.
 */

/** More than any list of folders and endings has. */
export const MOST_PATTERNS = 4096;

/** Braces within braces, past which nobody counts. */
const MOST_DEPTH = 64;

/** Number of patterns of a glob; may stop counting past `MOST_PATTERNS`. */
export function patternsOf(glob: string): number {
  let at = 0;
  let depth = 0;
  /** Of a row of texts and braces, up to a `,` or `}` of the braces around it. */
  const row = (isInside: boolean): number => {
    let product = 1;
    while (at < glob.length) {
      const character = glob[at];
      if (isInside && (character === ',' || character === '}')) return product;
      at += character === '\\' ? 2 : 1;
      if (character === '{') product = Math.min(product * braces(), 2 * MOST_PATTERNS);
    }
    return product;
  };
  const braces = (): number => {
    const range = /^(-?\d+|[a-z])\.\.(-?\d+|[a-z])(?:\.\.(-?\d+))?\}/i.exec(glob.slice(at));
    if (range !== null) {
      at += range[0].length;
      return rangeLength(range[1], range[2], range[3]);
    }
    if (depth === MOST_DEPTH) {
      at = glob.length;
      return 2 * MOST_PATTERNS;
    }
    depth += 1;
    let sum = 0;
    for (let isOpen = true; isOpen && at < glob.length;) {
      sum += row(true);
      isOpen = glob[at] !== '}';
      at += 1;
    }
    depth -= 1;
    // Never closed they are no braces, but what is within them was counted.
    return Math.max(sum, 1);
  };
  return row(false);
}

/** Of `{1..9}`, `{a..z}` and `{0..100..5}`. */
function rangeLength(first: string, last: string, step = '1'): number {
  const [from, to] = [first, last].map((end) => (/^-?\d+$/.test(end) ? Number(end) : end.charCodeAt(0)));
  return Math.floor(Math.abs(to - from) / Math.max(Math.abs(Number(step)), 1)) + 1;
}
