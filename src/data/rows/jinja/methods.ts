/**
 * Attributes and items of a template's values: methods of texts and dicts, keys, indices, slices. Texts count code
 * points, as Python does. A method that would change its value is refused, as in the language models' environment.
 */
import { filledIn } from './format.ts';
import { TEXT_METHODS, type Method } from './text_methods.ts';
import { textOf } from './python_text.ts';
import {
  Float,
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
  if (value instanceof Tuple && typeof key === 'string') return value.items[value.names.indexOf(key)];
  const index = key instanceof Float ? undefined : numberOf(key);
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
  if (value instanceof Undefined) throw new TemplateFault(value.why);
  if (typeof value !== 'string' && !Array.isArray(value) && !(value instanceof Tuple)) {
    throw new TemplateFault(`'${typeName(value)}' object has no slices`);
  }
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
