/** Filters on lists and dicts: picking, sorting, grouping, and doing something with each item. */
import { argument, type Filter } from './filter.ts';
import { item } from './methods.ts';
import { binary } from './operators.ts';
import { textOf } from './python_text.ts';
import { testOf } from './tests.ts';
import {
  NONE,
  TemplateFault,
  Tuple,
  Undefined,
  compare,
  isEqual,
  isTrue,
  itemsOf,
  typeName,
  type Args,
  type Value,
} from './value.ts';

/** `a.b.0` of a value. */
function path(value: Value, attribute: Value): Value {
  if (typeof attribute !== 'string') return item(value, attribute);
  return attribute.split('.').reduce<Value>((at, part) => item(at, /^\d+$/.test(part) ? Number(part) : part), value);
}

/** A value as it is sorted and compared: small letters, unless case counts. */
const folded = (value: Value, isCase: boolean): Value =>
  typeof value === 'string' && !isCase ? value.toLowerCase() : value;

function keyOf(args: Args, place: number): (value: Value) => Value {
  const attribute = argument(args, place, 'attribute');
  return attribute === undefined || attribute === NONE ? (value) => value : (value) => path(value, attribute);
}

function sorted(value: Value, args: Args): Value {
  const [isReverse, isCase] = [
    isTrue(argument(args, 0, 'reverse') ?? false),
    isTrue(argument(args, 1, 'case_sensitive') ?? false),
  ];
  const key = keyOf(args, 2);
  const sign = isReverse ? -1 : 1;
  return [...itemsOf(value)].sort((a, b) => sign * compare(folded(key(a), isCase), folded(key(b), isCase)));
}

function unique(value: Value, args: Args): Value {
  const isCase = isTrue(argument(args, 0, 'case_sensitive') ?? false);
  const key = keyOf(args, 1);
  const seen: Value[] = [];
  return itemsOf(value).filter((each) => {
    const of = folded(key(each), isCase);
    if (seen.some((other) => isEqual(other, of))) return false;
    seen.push(of);
    return true;
  });
}

/** The item that comes first by order, times `sign`. */
const extreme =
  (sign: number): Filter =>
  (value, args) => {
    const isCase = isTrue(argument(args, 0, 'case_sensitive') ?? false);
    const key = keyOf(args, 1);
    const items = itemsOf(value);
    if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
    return items.reduce((best, each) =>
      sign * compare(folded(key(each), isCase), folded(key(best), isCase)) < 0 ? each : best,
    );
  };

function sum(value: Value, args: Args): Value {
  const key = keyOf(args, 0);
  return itemsOf(value).reduce((total, each) => binary('+', total, key(each)), argument(args, 1, 'start') ?? 0);
}

function joined(value: Value, args: Args): Value {
  const key = keyOf(args, 1);
  return itemsOf(value)
    .map((each) => textOf(key(each)))
    .join(textOf(argument(args, 0, 'd') ?? ''));
}

/** Of nothing, of 0 and of None there is nothing to pick. */
const itemsIfAny = (value: Value): readonly Value[] => (isTrue(value) ? itemsOf(value) : []);

/** `map`, with the filter of that name that `apply` runs. */
export const mapWith =
  (apply: (name: string, value: Value, args: Args) => Value): Filter =>
  (value, args) => {
    const attribute = args.named.get('attribute');
    if (attribute !== undefined) {
      const other = args.named.get('default');
      return itemsIfAny(value).map((each) => {
        const found = path(each, attribute);
        return found instanceof Undefined && other !== undefined ? other : found;
      });
    }
    const [name, ...rest] = args.positional;
    if (typeof name !== 'string') throw new TemplateFault('map takes the name of a filter, or attribute=');
    return itemsIfAny(value).map((each) => apply(name, each, { positional: rest, named: args.named }));
  };

/** `select` and `reject`: by a test of each item, or by whether it is true. */
const chosen =
  (isWanted: boolean): Filter =>
  (value, { positional: [name, other = NONE] }) => {
    const test = name === undefined ? isTrue : (each: Value): boolean => testOf(name)(each, other);
    return itemsIfAny(value).filter((each) => test(each) === isWanted);
  };

/** `selectattr` and `rejectattr`: the same of an attribute of each item. */
const chosenBy =
  (isWanted: boolean): Filter =>
  (value, { positional: [attribute = NONE, name, other = NONE] }) => {
    const test = name === undefined ? isTrue : (each: Value): boolean => testOf(name)(each, other);
    return itemsIfAny(value).filter((each) => test(path(each, attribute)) === isWanted);
  };

function grouped(value: Value, args: Args): Value {
  const attribute = argument(args, 0, 'attribute') ?? NONE;
  const other = argument(args, 1, 'default');
  const isCase = isTrue(argument(args, 2, 'case_sensitive') ?? false);
  const key = (each: Value): Value => {
    const found = path(each, attribute);
    return folded(found instanceof Undefined && other !== undefined ? other : found, isCase);
  };
  const ordered = [...itemsOf(value)].sort((a, b) => compare(key(a), key(b)));
  const groups: [Value, Value[]][] = [];
  for (const each of ordered) {
    const last = groups.at(-1);
    if (last !== undefined && isEqual(last[0], key(each))) last[1].push(each);
    else groups.push([key(each), [each]]);
  }
  return groups.map(([, members]) => new Tuple([path(members[0], attribute), members], ['grouper', 'list']));
}

function batched(value: Value, args: Args): Value {
  const size = argument(args, 0, 'linecount');
  if (typeof size !== 'number' || size < 1) throw new TemplateFault('batch takes a number above 0');
  const items = itemsOf(value);
  const fill = argument(args, 1, 'fill_with');
  const groups: Value[][] = [];
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size));
  const last = groups.at(-1);
  if (last !== undefined && fill !== undefined && fill !== NONE) while (last.length < size) last.push(fill);
  return groups;
}

function dictSorted(value: Value, args: Args): Value {
  if (!(value instanceof Map)) throw new TemplateFault(`dictsort takes a dict, not ${typeName(value)}`);
  const isCase = isTrue(argument(args, 0, 'case_sensitive') ?? false);
  const place = argument(args, 1, 'by') === 'value' ? 1 : 0;
  const sign = isTrue(argument(args, 2, 'reverse') ?? false) ? -1 : 1;
  const entries = [...value].sort((a, b) => sign * compare(folded(a[place], isCase), folded(b[place], isCase)));
  return entries.map((entry) => new Tuple(entry));
}

function reversed(value: Value): Value {
  const items = [...itemsOf(value)].reverse();
  return typeof value === 'string' ? items.map(textOf).join('') : items;
}

const length: Filter = (value) => itemsOf(value).length;
const empty = (): Undefined => new Undefined('No item, sequence was empty.');

export const SEQUENCE_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['length', length],
  ['count', length],
  ['first', (value) => itemsOf(value)[0] ?? empty()],
  ['last', (value) => itemsOf(value).at(-1) ?? empty()],
  ['list', (value) => [...itemsOf(value)]],
  ['reverse', reversed],
  ['sort', sorted],
  ['unique', unique],
  ['max', extreme(-1)],
  ['min', extreme(1)],
  ['sum', sum],
  ['join', joined],
  ['select', chosen(true)],
  ['reject', chosen(false)],
  ['selectattr', chosenBy(true)],
  ['rejectattr', chosenBy(false)],
  ['groupby', grouped],
  ['batch', batched],
  ['dictsort', dictSorted],
]);
