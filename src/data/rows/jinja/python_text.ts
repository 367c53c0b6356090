/**
 * A template's value as the text that Python prints for it, bare (`str`), inside of a list (`repr`), or as JSON. Language
 * models were trained on these texts: `True`, `['a', 'b']` and `2.0` are what their templates write.
 */
import {
  NONE,
  Callable,
  Float,
  Namespace,
  TemplateFault,
  Tuple,
  Undefined,
  View,
  compare,
  itemsOf,
  typeName,
  type Value,
} from './value.ts';

/** What `{{ value }}` prints. */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  return value instanceof Undefined ? '' : reprOf(value);
}

/** What a list prints of an item of it. */
export function reprOf(value: Value): string {
  if (value === NONE) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' || typeof value === 'bigint') return BigInt(value).toString();
  if (typeof value === 'string') return quoted(value);
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${reprOf(key)}: ${reprOf(item)}`).join(', ')}}`;
  }
  if (Array.isArray(value)) return `[${value.map(reprOf).join(', ')}]`;
  if (value instanceof Tuple) {
    return value.items.length === 1 ? `(${reprOf(value.items[0])},)` : `(${value.items.map(reprOf).join(', ')})`;
  }
  if (value instanceof View) return `${value.name}([${value.items.map(reprOf).join(', ')}])`;
  if (value instanceof Callable || value instanceof Namespace) {
    throw new TemplateFault(`a ${typeName(value)} is printed`);
  }
  return '';
}

/** The shortest digits that read back as the same number, with an exponent below 1e-4 and from 1e16. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [digits, exponent] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Other characters that Python writes as numbers: control, format, separators but the blank, unassigned, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]/u;

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let inner = '';
  for (const character of text) {
    if (character === quote) inner += `\\${quote}`;
    else if (character in ESCAPES) inner += ESCAPES[character];
    else if (character !== ' ' && UNPRINTABLE.test(character)) inner += byNumber(character.codePointAt(0)!);
    else inner += character;
  }
  return `${quote}${inner}${quote}`;
}

function byNumber(code: number): string {
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** How `tojson` is asked to write. */
export interface JsonStyle {
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  readonly isSorted: boolean;
  readonly isAscii: boolean;
}

/** Python's `json.dumps` of a value. Throws `TemplateFault` for what JSON cannot hold. */
export function jsonOf(value: Value, style: JsonStyle, depth = 0): string {
  if (value === NONE) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' || typeof value === 'bigint') return reprOf(value);
  if (value instanceof Float) {
    const special = { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' }[floatText(value.value)];
    return special ?? floatText(value.value);
  }
  if (typeof value === 'string') return jsonText(value, style.isAscii);
  const inside = style.indent === undefined ? '' : `\n${style.indent.repeat(depth + 1)}`;
  const [item, colon] = style.separators;
  const wrapped = (open: string, parts: readonly string[], close: string): string => {
    if (parts.length === 0) return open + close;
    const end = style.indent === undefined ? '' : `\n${style.indent.repeat(depth)}`;
    return open + inside + parts.join(item + inside) + end + close;
  };
  if (value instanceof Map) {
    const entries = style.isSorted ? [...value].sort(([a], [b]) => compare(a, b)) : [...value];
    const parts = entries.map(([key, entry]) => {
      const name = typeof key === 'string' ? key : jsonOf(key, style);
      return jsonText(name, style.isAscii) + colon + jsonOf(entry, style, depth + 1);
    });
    return wrapped('{', parts, '}');
  }
  if (Array.isArray(value) || value instanceof Tuple) {
    const parts = itemsOf(value).map((entry) => jsonOf(entry, style, depth + 1));
    return wrapped('[', parts, ']');
  }
  throw new TemplateFault(`Object of type ${typeName(value)} is not JSON serializable`);
}

/** JSON's text of a string; JavaScript's own differs only in lone surrogates, which Python leaves as they are. */
function jsonText(text: string, isAscii: boolean): string {
  const json = JSON.stringify(text);
  if (!isAscii) return json;
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
