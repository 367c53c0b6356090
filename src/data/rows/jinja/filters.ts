/**
 * Filters of a template, `value | NAME(arguments)`: those of Jinja that chat templates use, with Python's results. Those on
 * sequences are in `sequence_filters.ts`. A filter that is not here is refused when the template is compiled.
 */
import { capitalized, replaced } from './text_methods.ts';
import { jsonOf, textOf } from './python_text.ts';
import { SEQUENCE_FILTERS, mapWith } from './sequence_filters.ts';
import { argument, type Filter } from './filter.ts';
import { strip } from './spaces.ts';
import {
  NONE,
  Float,
  TemplateFault,
  Tuple,
  Undefined,
  isTrue,
  itemsOf,
  numberOf,
  typeName,
  undefinedAmong,
  type Args,
  type Value,
} from './value.ts';

const asText =
  (make: (text: string) => Value): Filter =>
  (value) =>
    make(textOf(value));

function toJson(value: Value, args: Args): Value {
  const indent = argument(args, 3, 'indent') ?? NONE;
  const given = argument(args, 1, 'separators');
  const pair = given === undefined || given === NONE ? undefined : itemsOf(given).map(textOf);
  const ascii = argument(args, 0, 'ensure_ascii') ?? false;
  const sorted = argument(args, 4, 'sort_keys') ?? false;
  const by = typeof indent === 'string' ? indent : indent === NONE ? undefined : ' '.repeat(numberOf(indent) ?? 0);
  return jsonOf(value, {
    indent: by,
    separators: [pair?.[0] ?? (by === undefined ? ', ' : ','), pair?.[1] ?? ': '],
    isSorted: isTrue(sorted),
    isAscii: isTrue(ascii),
  });
}

function integer(value: Value, args: Args): Value {
  if (value instanceof Undefined) throw undefinedAmong(value);
  const fallback = argument(args, 0, 'default') ?? 0;
  if (typeof value === 'string') {
    const isWhole = /^[-+]?\d+(_\d+)*$/.test(strip(value));
    const parsed = isWhole ? Number(strip(value).replaceAll('_', '')) : Math.trunc(floatOf(value) ?? NaN);
    return Number.isSafeInteger(parsed) ? parsed : fallback;
  }
  const number = numberOf(value);
  return number === undefined ? fallback : Math.trunc(number);
}

function floatOf(text: string): number | undefined {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(strip(text)) ? Number(strip(text)) : undefined;
}

function float(value: Value, args: Args): Value {
  if (value instanceof Undefined) throw undefinedAmong(value);
  const number = typeof value === 'string' ? floatOf(value) : numberOf(value);
  return number === undefined ? (argument(args, 0, 'default') ?? new Float(0)) : new Float(number);
}

/** Halves go to the even digit, as Python rounds. */
function rounded(value: Value, args: Args): Value {
  const [number, digits] = [numberOf(value), numberOf(argument(args, 0, 'precision') ?? 0) ?? 0];
  const method = argument(args, 1, 'method') ?? 'common';
  if (number === undefined) throw new TemplateFault(`round takes a number, not ${typeName(value)}`);
  if (method === 'common' && !(value instanceof Float)) return number;
  const scaled = number * 10 ** digits;
  if (method === 'ceil') return new Float(Math.ceil(scaled) / 10 ** digits);
  if (method === 'floor') return new Float(Math.floor(scaled) / 10 ** digits);
  const [floor, rest] = [Math.floor(scaled), scaled - Math.floor(scaled)];
  if (rest === 0.5 && digits === 0) return new Float(floor % 2 === 0 ? floor : floor + 1);
  return new Float(Number(number.toFixed(Math.max(0, digits))));
}

function absolute(value: Value): Value {
  const number = numberOf(value);
  if (number === undefined) throw new TemplateFault(`bad operand type for abs(): '${typeName(value)}'`);
  return value instanceof Float ? new Float(Math.abs(number)) : Math.abs(number);
}

function onlyText(value: Value, filter: string): string {
  if (typeof value === 'string') return value;
  throw value instanceof Undefined
    ? undefinedAmong(value)
    : new TemplateFault(`${filter} takes a text, not ${typeName(value)}`);
}

function indented(value: Value, args: Args): Value {
  const width = argument(args, 0, 'width') ?? 4;
  const by = typeof width === 'string' ? width : ' '.repeat(numberOf(width) ?? 4);
  const [isFirst, isBlank] = [isTrue(argument(args, 1, 'first') ?? false), isTrue(argument(args, 2, 'blank') ?? false)];
  const lines = onlyText(value, 'indent').split('\n');
  return lines.map((line, index) => ((index === 0 ? isFirst : isBlank || line !== '') ? by + line : line)).join('\n');
}

function truncated(value: Value, args: Args): Value {
  const all = Array.from(onlyText(value, 'truncate'));
  const length = numberOf(argument(args, 0, 'length') ?? 255) ?? 255;
  const end = textOf(argument(args, 2, 'end') ?? '...');
  const leeway = numberOf(argument(args, 3, 'leeway') ?? 5) ?? 5;
  if (all.length <= length + leeway) return all.join('');
  const cut = all.slice(0, length - Array.from(end).length).join('');
  if (isTrue(argument(args, 1, 'killwords') ?? false)) return cut + end;
  return (cut.includes(' ') ? cut.slice(0, cut.lastIndexOf(' ')) : cut) + end;
}

function centred(value: Value, args: Args): Value {
  const all = Array.from(textOf(value));
  const room = Math.max(0, (numberOf(argument(args, 0, 'width') ?? 80) ?? 80) - all.length);
  const width = room + all.length;
  const left = Math.floor(room / 2) + (room & width & 1);
  return ' '.repeat(left) + all.join('') + ' '.repeat(room - left);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};
const escaped = asText((text) => text.replace(/[&<>'"]/g, (each) => ENTITIES[each]));

/** Words begin after white space, a hyphen or an opening bracket. */
const titles = asText((text) =>
  text
    .split(/([-\s({[<]+)/)
    .map((word) => (word[0] ?? '').toUpperCase() + word.slice(1).toLowerCase())
    .join(''),
);

function fallback(value: Value, args: Args): Value {
  const other = argument(args, 0, 'default_value') ?? '';
  const isFalseToo = isTrue(argument(args, 1, 'boolean') ?? false);
  return value instanceof Undefined || (isFalseToo && !isTrue(value)) ? other : value;
}

function pairs(value: Value): Value {
  if (value instanceof Map) return [...value].map((entry) => new Tuple(entry));
  if (value instanceof Undefined) return [];
  throw new TemplateFault(`items takes a dict, not ${typeName(value)}`);
}

function attribute(value: Value, args: Args): Value {
  if (value instanceof Undefined) throw undefinedAmong(value);
  throw new TemplateFault(
    `attr(${textOf(argument(args, 0, 'name') ?? '')}) is not supported in a template here; write value.name`,
  );
}

const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...SEQUENCE_FILTERS,
  ['map', mapWith((name, value, args) => filterOf(name)(value, args))],
  ['tojson', toJson],
  ['int', integer],
  ['float', float],
  ['round', rounded],
  ['abs', absolute],
  ['string', asText((text) => text)],
  ['safe', asText((text) => text)],
  ['upper', asText((text) => text.toUpperCase())],
  ['lower', asText((text) => text.toLowerCase())],
  ['capitalize', asText(capitalized)],
  ['title', titles],
  ['trim', (value, args) => strip(textOf(value), charactersOf(args))],
  [
    'replace',
    (value, args) =>
      replaced(
        textOf(value),
        textOf(argument(args, 0, 'old') ?? ''),
        textOf(argument(args, 1, 'new') ?? ''),
        numberOf(argument(args, 2, 'count') ?? -1) ?? -1,
      ),
  ],
  ['indent', indented],
  ['truncate', truncated],
  ['center', centred],
  ['wordcount', asText((text) => text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)],
  ['escape', escaped],
  ['e', escaped],
  ['default', fallback],
  ['d', fallback],
  ['items', pairs],
  ['attr', attribute],
]);

function charactersOf(args: Args): string | undefined {
  const given = argument(args, 0, 'chars');
  return given === undefined || given === NONE ? undefined : textOf(given);
}

/** A filter by its name. Throws `TemplateFault` if there is none. */
export function filterOf(name: string): Filter {
  const filter = FILTERS.get(name);
  if (filter === undefined) throw new TemplateFault(`no filter named ${JSON.stringify(name)}`);
  return filter;
}
