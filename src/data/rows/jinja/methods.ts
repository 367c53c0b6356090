/**
 * Attributes and items of a template's values: methods of texts and dicts, keys, indices, slices. Texts count code
 * points, as Python does. A method that would change its value is refused, as in the language models' environment.
 */
import { filledIn } from './format.ts';
import { textOf } from './python_text.ts';
import { isSpace, strip, stripEnd, stripStart, splitAtSpace } from './spaces.ts';
import {
  NONE,
  Callable,
  Namespace,
  TemplateFault,
  Tuple,
  Undefined,
  View,
  isEqual,
  itemsOf,
  lookUp,
  numberOf,
  typeName,
  type Args,
  type Value,
} from './value.ts';

type Method<T> = (self: T, ...args: (Value | undefined)[]) => Value;

const text = (value: Value | undefined, what: string): string => {
  if (typeof value === 'string') return value;
  throw new TemplateFault(`${what} takes a text`);
};
const count = (value: Value | undefined): number =>
  value === undefined || value === NONE ? -1 : (numberOf(value) ?? -1);
const ends = (value: Value | undefined): readonly string[] =>
  value instanceof Tuple ? value.items.map((item) => text(item, 'this method')) : [text(value, 'this method')];
const characters = (value: Value | undefined): string | undefined =>
  value === undefined || value === NONE ? undefined : text(value, 'strip');
const codePointIndex = (self: string, unit: number): number => (unit < 0 ? -1 : Array.from(self.slice(0, unit)).length);

const TEXT_METHODS: Readonly<Record<string, Method<string>>> = {
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  title: (self) => titled(self),
  capitalize: (self) => capitalized(self),
  strip: (self, set) => strip(self, characters(set)),
  lstrip: (self, set) => stripStart(self, characters(set)),
  rstrip: (self, set) => stripEnd(self, characters(set)),
  startswith: (self, start) => ends(start).some((each) => self.startsWith(each)),
  endswith: (self, end) => ends(end).some((each) => self.endsWith(each)),
  removeprefix: (self, start) =>
    self.startsWith(text(start, 'removeprefix')) ? self.slice(text(start, '').length) : self,
  removesuffix: (self, end) =>
    self.endsWith(text(end, 'removesuffix')) ? self.slice(0, self.length - text(end, '').length) : self,
  split: (self, separator, most) => split(self, separator, count(most)),
  rsplit: (self, separator, most) => splitFromEnd(self, separator, count(most)),
  splitlines: (self) =>
    self
      .replace(/\r\n?|\n/g, '\n')
      .replace(/\n$/, '')
      .split('\n')
      .filter((line, _, all) => all.length > 1 || line !== ''),
  replace: (self, old, by, most) => replaced(self, text(old, 'replace'), text(by, 'replace'), count(most)),
  find: (self, part) => codePointIndex(self, self.indexOf(text(part, 'find'))),
  rfind: (self, part) => codePointIndex(self, self.lastIndexOf(text(part, 'rfind'))),
  count: (self, part) => self.split(text(part, 'count')).length - 1,
  join: (self, items) =>
    itemsOf(items ?? NONE)
      .map((item) => text(item, 'join'))
      .join(self),
  isdigit: (self) => /^\p{Nd}+$/u.test(self),
  isalpha: (self) => /^\p{L}+$/u.test(self),
  isalnum: (self) => /^[\p{L}\p{N}]+$/u.test(self),
  isspace: (self) => self !== '' && Array.from(self).every(isSpace),
  isupper: (self) => self === self.toUpperCase() && self !== self.toLowerCase(),
  islower: (self) => self === self.toLowerCase() && self !== self.toUpperCase(),
};

const DICT_METHODS: Readonly<Record<string, Method<ReadonlyMap<Value, Value>>>> = {
  get: (self, key, fallback) => lookUp(self, key ?? NONE) ?? fallback ?? NONE,
  keys: (self) => new View('dict_keys', [...self.keys()]),
  values: (self) => new View('dict_values', [...self.values()]),
  items: (self) =>
    new View(
      'dict_items',
      [...self].map((entry) => new Tuple(entry)),
    ),
  copy: (self) => new Map(self),
};

const LIST_METHODS: Readonly<Record<string, Method<readonly Value[]>>> = {
  index: (self, item) => {
    const at = self.findIndex((each) => isEqual(each, item ?? NONE));
    if (at < 0) throw new TemplateFault('the list has no such item');
    return at;
  },
  count: (self, item) => self.filter((each) => isEqual(each, item ?? NONE)).length,
};

/** Methods that change their value, which no template may. */
const CHANGING = new Set([
  'append',
  'extend',
  'insert',
  'pop',
  'remove',
  'clear',
  'update',
  'setdefault',
  'popitem',
  'sort',
  'reverse',
]);

/** `value.name`: a method or member before a key. Throws `TemplateFault` for one of what is undefined. */
export function attribute(value: Value, name: string): Value {
  if (value instanceof Undefined) throw new TemplateFault(value.why);
  return methodOf(value, name) ?? keyed(value, name) ?? absent(value, name);
}

/** `value[key]`: a key before a method. Throws `TemplateFault` for an item of what is undefined. */
export function item(value: Value, key: Value): Value {
  if (value instanceof Undefined) throw new TemplateFault(value.why);
  const found = keyed(value, key) ?? (typeof key === 'string' ? methodOf(value, key) : undefined);
  return found ?? absent(value, typeof key === 'string' ? key : String(numberOf(key) ?? typeName(key)));
}

function absent(value: Value, name: string): Undefined {
  return new Undefined(`'${typeName(value)} object' has no attribute '${name}'`);
}

function keyed(value: Value, key: Value): Value | undefined {
  if (value instanceof Map) return lookUp(value, key);
  if (value instanceof Namespace) return typeof key === 'string' ? value.attributes.get(key) : undefined;
  if (value instanceof Callable) return typeof key === 'string' ? value.members?.get(key) : undefined;
  const index = numberOf(key);
  if (index === undefined) return undefined;
  const isIndexed = typeof value === 'string' || Array.isArray(value) || value instanceof Tuple;
  return isIndexed ? itemsOf(value).at(index) : undefined;
}

function methodOf(value: Value, name: string): Value | undefined {
  const bound = <T>(
    methods: Readonly<Record<string, Method<T>>>,
    self: T,
    keywords: readonly string[] = [],
  ): Value | undefined => {
    if (CHANGING.has(name) && typeof self !== 'string') {
      return new Callable(() => {
        throw new TemplateFault(`access to attribute '${name}' of '${typeName(value)}' object is unsafe`);
      });
    }
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    return method === undefined ? undefined : new Callable((args) => method(self, ...byKeyword(args, name, keywords)));
  };
  if (typeof value === 'string') {
    if (name === 'format') return new Callable((args) => filledIn(value, args));
    const keywords = name === 'replace' ? ['old', 'new', 'count'] : ['sep', 'maxsplit'];
    return bound(TEXT_METHODS, value, keywords);
  }
  if (value instanceof Map) return bound(DICT_METHODS, value);
  return Array.isArray(value) || value instanceof Tuple ? bound(LIST_METHODS, itemsOf(value)) : undefined;
}

/** Positional arguments, with those given by name in their places. */
function byKeyword({ positional, named }: Args, method: string, keywords: readonly string[]): (Value | undefined)[] {
  const args: (Value | undefined)[] = [...positional];
  for (const [name, value] of named) {
    const place = keywords.indexOf(name);
    if (place < 0) throw new TemplateFault(`${method}() got an unexpected keyword argument '${name}'`);
    args[place] = value;
  }
  return args;
}

/** `value[start:stop:step]` by Python's rules. Throws `TemplateFault` for what has no slices. */
export function sliced(value: Value, start: Value, stop: Value, step: Value): Value {
  const items = itemsOf(value);
  const by = step === NONE ? 1 : (numberOf(step) ?? 1);
  if (by === 0) throw new TemplateFault('slice step cannot be zero');
  const bound = (given: Value, fallback: number): number => {
    const index = given === NONE ? undefined : numberOf(given);
    if (index === undefined) return fallback;
    const from = index < 0 ? index + items.length : index;
    return Math.min(Math.max(from, by < 0 ? -1 : 0), by < 0 ? items.length - 1 : items.length);
  };
  const [first, last] =
    by > 0 ? [bound(start, 0), bound(stop, items.length)] : [bound(start, items.length - 1), bound(stop, -1)];
  const taken: Value[] = [];
  for (let at = first; by > 0 ? at < last : at > last; at += by) taken.push(items[at]);
  if (typeof value === 'string') return taken.map(textOf).join('');
  return value instanceof Tuple ? new Tuple(taken) : taken;
}

/** Each word begins with a capital, the rest is small. */
export const titled = (self: string): string =>
  self.replace(/\p{L}+/gu, (word) => word[0].toUpperCase() + word.slice(1).toLowerCase());
export const capitalized = (self: string): string => {
  const [first = '', ...rest] = Array.from(self);
  return first.toUpperCase() + rest.join('').toLowerCase();
};

function split(self: string, separator: Value | undefined, most: number): Value[] {
  if (separator === undefined || separator === NONE) return splitAtSpace(self, most);
  const parts = self.split(checked(separator));
  if (most < 0 || parts.length <= most + 1) return parts;
  return [...parts.slice(0, most), parts.slice(most).join(text(separator, 'split'))];
}

function splitFromEnd(self: string, separator: Value | undefined, most: number): Value[] {
  if (separator === undefined || separator === NONE) {
    if (most < 0) return splitAtSpace(self, most);
    throw new TemplateFault('rsplit() at white space with a limit is not supported in a template here');
  }
  const parts = self.split(checked(separator));
  if (most < 0 || parts.length <= most + 1) return parts;
  const cut = parts.length - most;
  return [parts.slice(0, cut).join(text(separator, 'rsplit')), ...parts.slice(cut)];
}

function checked(separator: Value): string {
  if (separator === '') throw new TemplateFault('empty separator');
  return text(separator, 'split');
}

/** The first `most` places where `old` stands, all where it is below 0. */
export function replaced(self: string, old: string, by: string, most: number): string {
  if (most < 0) return old === '' ? ['', ...Array.from(self), ''].join(by) : self.replaceAll(old, () => by);
  const parts = old === '' ? ['', ...Array.from(self), ''] : self.split(old);
  return parts.map((part, index) => (index === 0 ? part : (index <= most ? by : old) + part)).join('');
}
