/**
 * The texts of a JSONL file: every line is an object, and one of its keys has the text of a document. Lines that are blank
 * are none; a row that cannot be used is refused by its line, its key and what was found there.
 */
import { refused, type Refusal } from './refusal.ts';
import { isBlank, linesOf } from './text_lines.ts';

/** Where lines come from: the file, the number of the first of them, and the key of their text. */
export interface RowPlace {
  readonly path: string;
  readonly firstLine: number;
  readonly textKey: string;
}

/** The text of a row, which may be empty, and where it is. */
export interface RowText {
  readonly kind: 'row';
  readonly text: string;
  readonly line: number;
}

/** The texts of lines in order, up to a row that cannot be used: nothing follows its refusal. */
export function* textsOf(
  lines: Buffer,
  { path, firstLine, textKey }: RowPlace,
): Generator<RowText | Refusal, void, undefined> {
  let line = firstLine;
  for (const bytes of linesOf(lines)) {
    if (!isBlank(bytes)) {
      const found = textOfRow(bytes, textKey);
      if (typeof found !== 'string') return yield refused(path, found.reason, found.remedy, line);
      yield { kind: 'row', text: found, line };
    }
    line++;
  }
}

type Fault = Pick<Refusal, 'reason' | 'remedy'>;

function textOfRow(line: Buffer, key: string): string | Fault {
  let row: unknown;
  try {
    row = JSON.parse(line.toString('utf8'));
  } catch (cause) {
    // V8 says the position in the text that it was given, which is this line.
    const said =
      cause instanceof Error ? cause.message.split('\n', 1)[0].replace(/ \(line 1 column \d+\)$/, '') : String(cause);
    return { reason: `it is not JSON: ${said}`, remedy: 'write one JSON object a line, or exclude the file' };
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    return { reason: `it is ${kindOf(row)}, not an object`, remedy: `write one object with '${key}' a line` };
  }
  if (!Object.hasOwn(row, key)) return withoutText(new Map<string, unknown>(Object.entries(row)), key);
  const text: unknown = Reflect.get(row, key);
  if (typeof text === 'string') return text;
  return { reason: `'${key}' is ${kindOf(text)}, not a string`, remedy: 'make it a string, or leave the row out' };
}

/** Keys by which rows are known that are learned otherwise than a text is. */
const otherKinds: ReadonlyMap<string, string> = new Map([
  ['chosen', 'a preference'],
  ['rejected', 'a preference'],
  ['completions', 'a preference'],
  ['messages', 'a chat'],
  ['conversations', 'a chat'],
  ['helpfulness', 'attributes'],
  ['prompt', 'a chat'],
  ['instruction', 'a chat'],
]);

const MOST_KEYS = 5;

function withoutText(fields: ReadonlyMap<string, unknown>, key: string): Fault {
  for (const [other, kind] of otherKinds) {
    if (!fields.has(other)) continue;
    const reason = `it has '${other}' and no '${key}': a row of ${kind}, not of text`;
    return { reason, remedy: 'use it as data.rows, or name the key of its text by columns' };
  }
  if (fields.size === 0) return { reason: `it has no '${key}'`, remedy: 'give it one, or leave the row out' };
  const keys = [...fields.keys()];
  const more = keys.length > MOST_KEYS ? ` and ${keys.length - MOST_KEYS} more` : '';
  const reason = `it has no '${key}', only ${keys.slice(0, MOST_KEYS).map(shown).join(', ')}${more}`;
  const candidate = keys.find((other) => typeof fields.get(other) === 'string');
  const example = candidate === undefined ? '' : `, as in columns: { text: ${shown(candidate)} }`;
  return { reason, remedy: `give it one, or name the key of its text${example || ' by columns'}` };
}

const MOST_CHARACTERS = 40;

/** A key as a message shows it: on one line, and not longer than a name. */
function shown(key: string): string {
  const line = JSON.stringify(key).slice(1, -1);
  return `'${line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line}'`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `the ${typeof value} ${JSON.stringify(value)}`;
}
