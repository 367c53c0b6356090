/**
 * A template's source, cut into text, output tags and statement tags as the language models' environment cuts it:
 * `trim_blocks` and `lstrip_blocks` are on, `-` and `+` at a tag's edge say otherwise, one line break at the end is
 * dropped. Comments are gone, and what stands between `raw` and `endraw` is text.
 */
import { TemplateFault } from './value.ts';

export type Segment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output' | 'statement'; readonly code: string; readonly line: number };

interface Tag {
  readonly kind: 'output' | 'statement' | 'comment';
  readonly code: string;
  readonly begin: number;
  readonly end: number;
  /** The sign at each edge: `-`, `+` or none. */
  readonly before: string;
  readonly after: string;
}

const CLOSERS = { '{{': '}}', '{%': '%}', '{#': '#}' } as const;
const KINDS = { '{{': 'output', '{%': 'statement', '{#': 'comment' } as const;

/** Throws `TemplateFault` for a tag that does not end. */
export function segmentsOf(template: string): readonly Segment[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  const segments: Segment[] = [];
  let at = 0;
  let after: Tag | undefined;
  for (;;) {
    const tag = nextTag(source, at);
    const text = trimmed(source.slice(at, tag?.begin ?? source.length), after, tag, source, at);
    if (text !== '') segments.push({ kind: 'text', text });
    if (tag === undefined) return segments;
    at = tag.end;
    after = tag;
    if (tag.kind === 'statement' && tag.code.trim() === 'raw') {
      const close = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;
      close.lastIndex = tag.end;
      const match = close.exec(source);
      if (match === null) throw new TemplateFault(`line ${lineOf(source, tag.begin)}: raw without endraw`);
      const [whole, before, sign] = [match[0], match[1], match[2]];
      const last: Tag = {
        kind: 'statement',
        code: 'endraw',
        begin: match.index,
        end: match.index + whole.length,
        before,
        after: sign,
      };
      // The line break after `raw` itself stays.
      const raw = trimmed(source.slice(tag.end, match.index), { ...tag, kind: 'output' }, last, source, tag.end);
      if (raw !== '') segments.push({ kind: 'text', text: raw });
      at = last.end;
      after = last;
    } else if (tag.kind !== 'comment') {
      segments.push({ kind: tag.kind, code: tag.code, line: lineOf(source, tag.begin) });
    }
  }
}

/** Text between two tags without the white space that they take. */
function trimmed(text: string, left: Tag | undefined, right: Tag | undefined, source: string, begin: number): string {
  let rest = text;
  if (left?.after === '-') rest = rest.trimStart();
  else if (left !== undefined && left.kind !== 'output' && left.after !== '+' && rest.startsWith('\n'))
    rest = rest.slice(1);
  if (right?.before === '-') return rest.trimEnd();
  if (right === undefined || right.kind === 'output' || right.before === '+') return rest;
  const indent = /[^\S\n]*$/.exec(rest)![0].length;
  const start = begin + text.length - indent;
  const isLineStart = start === 0 || source[start - 1] === '\n';
  return isLineStart ? rest.slice(0, rest.length - indent) : rest;
}

function nextTag(source: string, from: number): Tag | undefined {
  const begin = source.slice(from).search(/\{[{%#]/);
  if (begin < 0) return undefined;
  const open = from + begin;
  const opener = openerOf(source.slice(open, open + 2));
  const closer = CLOSERS[opener];
  const sign = /^[-+]/.exec(source.slice(open + 2, open + 3))?.[0] ?? '';
  const start = open + 2 + sign.length;
  const close = opener === '{#' ? source.indexOf(closer, start) : codeEnd(source, start, closer);
  if (close < 0) throw new TemplateFault(`line ${lineOf(source, open)}: ${opener} without ${closer}`);
  const inside = source.slice(start, close);
  const after = /[-+]$/.exec(inside)?.[0] ?? '';
  const code = inside.slice(0, inside.length - after.length);
  return { kind: KINDS[opener], code, begin: open, end: close + 2, before: sign, after };
}

function openerOf(text: string): keyof typeof CLOSERS {
  if (text === '{{' || text === '{%') return text;
  return '{#';
}

/** Where the tag's closer stands outside of strings and brackets, or −1. */
function codeEnd(source: string, start: number, closer: string): number {
  let depth = 0;
  for (let at = start; at < source.length; at += 1) {
    const character = source[at];
    if (character === "'" || character === '"') {
      at = stringEnd(source, at);
      if (at < 0) return -1;
    } else if (depth === 0 && source.startsWith(closer, at)) return at;
    else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
  }
  return -1;
}

/** Where the string that begins at `start` ends: its closing quote, or −1. */
export function stringEnd(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === source[start]) return at;
  }
  return -1;
}

function lineOf(source: string, index: number): number {
  return source.slice(0, index).split('\n').length;
}
