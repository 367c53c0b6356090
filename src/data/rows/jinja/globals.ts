/** The names that every template sees: constants, and the functions of the language models' environment. */
import { Scope } from './scope.ts';
import { strftime } from './strftime.ts';
import {
  NONE,
  Callable,
  Namespace,
  TemplateFault,
  Undefined,
  itemsOf,
  numberOf,
  type Args,
  type Value,
} from './value.ts';
import { textOf } from './python_text.ts';

/** `date` is what `strftime_now` writes; without one a template that asks for it cannot be rendered. */
export function globals(date: Date | undefined): Scope {
  const scope = new Scope();
  for (const [name, value] of CONSTANTS) scope.set(name, value);
  for (const [name, call] of FUNCTIONS) scope.set(name, new Callable(call));
  const now = ({ positional: [format = ''] }: Args): Value => {
    if (date === undefined) throw new TemplateFault('it asks for the date of today (strftime_now), and none is given');
    return strftime(date, textOf(format));
  };
  scope.set('strftime_now', new Callable(now));
  return scope;
}

const CONSTANTS: readonly (readonly [string, Value])[] = [
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', NONE],
  ['None', NONE],
];

const unsupported = (name: string) => (): Value => {
  throw new TemplateFault(`${name}() is not supported in a template here`);
};

const FUNCTIONS: readonly (readonly [string, (args: Args) => Value])[] = [
  [
    'raise_exception',
    ({ positional: [message = ''] }) => {
      throw new TemplateFault(textOf(message));
    },
  ],
  ['range', range],
  ['namespace', (args) => new Namespace(new Map([...entriesOf(args)].map(([key, value]) => [textOf(key), value])))],
  ['dict', (args) => entriesOf(args)],
  [
    'joiner',
    ({ positional: [separator = ', '] }) => {
      let isFirst = true;
      return new Callable(() => {
        const text = isFirst ? '' : separator;
        isFirst = false;
        return text;
      });
    },
  ],
  ['cycler', cycler],
  ['lipsum', unsupported('lipsum')],
];

/** The entries of a dict or of pairs, then those given by name. */
function entriesOf({ positional: [source], named }: Args): Map<Value, Value> {
  const entries = new Map<Value, Value>();
  if (source instanceof Map) for (const [key, value] of source) entries.set(key, value);
  else if (source !== undefined) {
    for (const pair of itemsOf(source)) {
      const [key = NONE, value = NONE] = itemsOf(pair);
      entries.set(key, value);
    }
  }
  for (const [key, value] of named) entries.set(key, value);
  return entries;
}

/** What a template may make of numbers: as many as Jinja's sandbox allows. */
const MOST_NUMBERS = 100_000;

function range({ positional }: Args): Value {
  const numbers = positional.map((value) => numberOf(value) ?? NaN);
  const [start, stop, step] =
    numbers.length === 1 ? [0, numbers[0], 1] : [numbers[0] ?? NaN, numbers[1] ?? NaN, numbers[2] ?? 1];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!Number.isFinite(length) || step === 0)
    throw new TemplateFault('range() takes whole numbers and a step that is not 0');
  if (length > MOST_NUMBERS) throw new TemplateFault(`range too big, the maximum size for ranges is ${MOST_NUMBERS}`);
  return Array.from({ length }, (_, index) => start + index * step);
}

function cycler({ positional }: Args): Value {
  let at = 0;
  const attributes = new Map<string, Value>();
  const go = (to: number): void => {
    at = to % positional.length;
    attributes.set('current', positional[at] ?? new Undefined('cycler() has no items'));
  };
  const next = (): Value => {
    const value = attributes.get('current') ?? NONE;
    go(at + 1);
    return value;
  };
  const reset = (): Value => {
    go(0);
    return NONE;
  };
  reset();
  attributes.set('next', new Callable(next)).set('reset', new Callable(reset));
  return new Namespace(attributes);
}
