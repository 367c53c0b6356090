/**
 * Tokens of a tag's code: names, numbers, texts, operators. They are written out again in the spelling that the parser of
 * `@huggingface/jinja` reads without mistakes: texts with escapes only, numbers without exponents.
 */
import { stringEnd } from './source.ts';
import { TemplateFault } from './value.ts';

export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'operator';
  /** As written; of a text, what it says. */
  readonly text: string;
}

const OPERATORS = /^(\*\*|\/\/|==|!=|<=|>=|[-+*/%~<>=()[\]{},.:|])/;

/** Throws `TemplateFault` for a character that begins no token. */
export function tokensOf(code: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < code.length) {
    const rest = code.slice(at);
    const space = /^\s+/.exec(rest)?.[0];
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    if (rest.startsWith('"') || rest.startsWith("'")) {
      const end = stringEnd(code, at);
      tokens.push({ kind: 'text', text: unescaped(code.slice(at + 1, end)) });
      at = end + 1;
      continue;
    }
    const isMember = tokens.at(-1)?.text === '.';
    const number = (isMember ? /^\d+/ : /^\d[\d_]*(\.\d[\d_]*)?([eE][-+]?\d+)?/).exec(rest)?.[0];
    const name = /^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/u.exec(rest)?.[0];
    const operator = OPERATORS.exec(rest)?.[0];
    const text = number ?? name ?? operator;
    if (text === undefined) throw new TemplateFault(`unexpected character ${JSON.stringify(rest[0])}`);
    tokens.push({ kind: number !== undefined ? 'number' : name !== undefined ? 'name' : 'operator', text });
    at += text.length;
  }
  return tokens;
}

/** Source of the tokens, for the parser. */
export function written(tokens: readonly Token[]): string {
  return tokens.map((token) => writtenToken(token)).join(' ');
}

function writtenToken({ kind, text }: Token): string {
  if (kind === 'text') return quotedText(text);
  if (kind === 'name' && /\W/.test(text)) throw new TemplateFault(`the name ${text} has letters beyond a to z`);
  if (kind === 'number') return decimals(text.replaceAll('_', ''));
  // The parser takes a sign behind a dict for one of the next value.
  if (kind === 'operator' && text === '{') return '( {';
  return kind === 'operator' && text === '}' ? '} )' : text;
}

/** A text as a literal that has no character with a meaning of its own. */
export function quotedText(text: string): string {
  const safe = text.replace(
    /[^\w .,;:!?<>|/()[\]@*+=-]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${safe}"`;
}

/** `1e20` as `100000000000000000000.0`, which is the same float. */
function decimals(number: string): string {
  if (!/[eE]/.test(number)) return number;
  const [mantissa, exponent] = number.toLowerCase().split('e');
  const [whole, part = ''] = mantissa.split('.');
  const digits = whole + part;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  return point >= digits.length ? `${digits.padEnd(point, '0')}.0` : `${digits.slice(0, point)}.${digits.slice(point)}`;
}

const SHORT: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

/** Python's escapes; one that it does not know stays as written, backslash too. */
function unescaped(text: string): string {
  const escape = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/g;
  return text.replace(escape, (whole: string, x?: string, u?: string, long?: string, octal?: string, one?: string) => {
    const hex = x ?? u ?? long;
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
    return (one === undefined ? undefined : SHORT[one]) ?? whole;
  });
}
