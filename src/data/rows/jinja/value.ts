/**
 * A template's value: what Python's Jinja computes with, as JavaScript data. A whole number is a `number`,
 * beyond 2^53 a `bigint` that can only be printed; any other is a `Float`, so that 2 and 2.0 print differently. A dict is a
 * `Map`, which keeps the order of its keys. Missing things are `Undefined`: they print as nothing, and a step further is an
 * error.
 */

export type Value =
  | typeof NONE
  | boolean
  | number
  | bigint
  | string
  | Value[]
  | Map<Value, Value>
  | Float
  | Tuple
  | Undefined
  | Callable
  | Namespace
  | View;

/** Python's `None`; not `null`, which `??` would pass over. */
export const NONE: unique symbol = Symbol('None');

/** A number of Python's type float. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  toJSON(): number {
    return this.value;
  }
}

/** A list that cannot be changed, and prints with round brackets. */
export class Tuple {
  readonly items: readonly Value[];
  /** Names of the items, where it is one that has them. */
  readonly names: readonly string[];
  constructor(items: readonly Value[], names: readonly string[] = []) {
    this.items = items;
    this.names = names;
  }
}

/** The value of a name or key that there is not; `why` is what the error of using it says. */
export class Undefined {
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

/** Positional arguments, and those given by name. */
export interface Args {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** A function, method or macro. `members` are what it has besides being callable, as a loop has. */
export class Callable {
  readonly call: (args: Args) => Value;
  readonly members: ReadonlyMap<string, Value> | undefined;
  constructor(call: (args: Args) => Value, members?: ReadonlyMap<string, Value>) {
    this.call = call;
    this.members = members;
  }
}

/** What `namespace()` makes: attributes that a loop's body may set. */
export class Namespace {
  readonly attributes: Map<string, Value>;
  constructor(attributes: Map<string, Value>) {
    this.attributes = attributes;
  }
}

/** What the `keys()`, `values()` and `items()` of a dict give. */
export class View {
  readonly name: string;
  readonly items: readonly Value[];
  constructor(name: string, items: readonly Value[]) {
    this.name = name;
    this.items = items;
  }
}

/** A template that cannot be rendered with what it was given, in the words of its own `raise_exception` if it has any. */
export class TemplateFault extends Error {}

/**
 * Data of JSON as a template's value; numbers past 2^53 are floats, since a reader has rounded them, unless it has kept
 * them.
 */
export function valueOf(data: unknown): Value {
  if (data === null) return NONE;
  if (data instanceof Float) return data;
  if (typeof data === 'bigint' || typeof data === 'boolean' || typeof data === 'string') return data;
  if (typeof data === 'number') return Number.isSafeInteger(data) ? data : new Float(data);
  if (Array.isArray(data)) return data.map(valueOf);
  if (typeof data === 'object') {
    const entries = Object.entries(data).filter(([, value]) => value !== undefined);
    return new Map<Value, Value>(entries.map(([key, value]) => [key, valueOf(value)]));
  }
  return new Undefined('a value is undefined');
}

/** The name of a value's type in Python. */
export function typeName(value: Value): string {
  if (value === NONE) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  if (typeof value === 'string') return 'str';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'dict';
  if (value instanceof Float) return 'float';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Callable) return 'function';
  return value instanceof Namespace ? 'Namespace' : value.name;
}

/** What `if` takes for true. */
export function isTrue(value: Value): boolean {
  if (value === NONE || value instanceof Undefined) return false;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'bigint') return true;
  if (value instanceof Float) return value.value !== 0;
  if (typeof value === 'string' || Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return value instanceof Tuple || value instanceof View ? value.items.length > 0 : true;
}

/** The number of a value to compute with, booleans too; undefined for all others, and beyond 2^53. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}

/** The items that a loop over a value goes through: characters of a text, keys of a dict. Throws `TemplateFault`. */
export function itemsOf(value: Value): readonly Value[] {
  if (typeof value === 'string') return Array.from(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value.keys()];
  if (value instanceof Tuple || value instanceof View) return value.items;
  if (value instanceof Undefined) return [];
  throw new TemplateFault(`'${typeName(value)}' object is not iterable`);
}

/** The value under an equal key of a dict. */
export function lookUp(dict: ReadonlyMap<Value, Value>, key: Value): Value | undefined {
  if (dict.has(key)) return dict.get(key);
  if (typeof key === 'string') return undefined;
  for (const [candidate, value] of dict) if (isEqual(candidate, key)) return value;
  return undefined;
}

/** Python's `==`: by value, and 1, 1.0 and True are equal. */
export function isEqual(a: Value, b: Value): boolean {
  if (a === b) return true;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x === y;
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Map && b instanceof Map) {
    const isSame = ([key, value]: [Value, Value]): boolean => {
      const other = lookUp(b, key);
      return other !== undefined && isEqual(value, other);
    };
    return a.size === b.size && [...a].every(isSame);
  }
  const isPair = (Array.isArray(a) && Array.isArray(b)) || (a instanceof Tuple && b instanceof Tuple);
  if (!isPair) return false;
  const [left, right] = [itemsOf(a), itemsOf(b)];
  return left.length === right.length && left.every((item, index) => isEqual(item, right[index]));
}

/** Below 0 where `a` comes first, above where `b` does. Throws `TemplateFault` for two that have no order. */
export function compare(a: Value, b: Value): number {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : 0;
  if (a instanceof Undefined || b instanceof Undefined) throw undefinedAmong(a, b);
  const areTexts = typeof a === 'string' && typeof b === 'string';
  const areLists = (Array.isArray(a) && Array.isArray(b)) || (a instanceof Tuple && b instanceof Tuple);
  if (!areTexts && !areLists) {
    throw new TemplateFault(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
  }
  const [left, right] = [itemsOf(a), itemsOf(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const one: Value = left[index];
    const other: Value = right[index];
    const areCharacters = areTexts && typeof one === 'string' && typeof other === 'string';
    const order = areCharacters ? one.codePointAt(0)! - other.codePointAt(0)! : compare(one, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** The error of using the first of some values that is undefined. */
export function undefinedAmong(...values: Value[]): TemplateFault {
  const found = values.find((value) => value instanceof Undefined);
  return new TemplateFault(found instanceof Undefined ? found.why : 'a value is undefined');
}
