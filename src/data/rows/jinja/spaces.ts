/** White space by Python's rule, which is not JavaScript's: U+001C to U+001F and U+0085 are, U+FEFF is not. */

const SPACES = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const START = new RegExp(`^[${SPACES}]+`);
const END = new RegExp(`[${SPACES}]+$`);
const ONE = new RegExp(`^[${SPACES}]$`);
const WORD = new RegExp(`[^${SPACES}]+`, 'g');

export const isSpace = (character: string): boolean => ONE.test(character);

/** Without white space, or without the given characters, at its start. */
export function stripStart(text: string, characters?: string): string {
  if (characters === undefined) return text.replace(START, '');
  const all = Array.from(text);
  const first = all.findIndex((each) => !characters.includes(each));
  return first < 0 ? '' : all.slice(first).join('');
}

/** The same at its end. */
export function stripEnd(text: string, characters?: string): string {
  if (characters === undefined) return text.replace(END, '');
  const all = Array.from(text);
  const last = all.findLastIndex((each) => !characters.includes(each));
  return all.slice(0, last + 1).join('');
}

export const strip = (text: string, characters?: string): string => stripEnd(stripStart(text, characters), characters);

/** Words between white space; after `most` splits the rest is one. */
export function splitAtSpace(text: string, most = -1): string[] {
  const words: string[] = [];
  for (const match of text.matchAll(WORD)) {
    if (most >= 0 && words.length === most) {
      words.push(text.slice(match.index));
      break;
    }
    words.push(match[0]);
  }
  return words;
}
