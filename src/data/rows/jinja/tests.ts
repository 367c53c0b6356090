/** Tests of a template, `value is NAME`, with an argument where they take one. */
import { contains } from './operators.ts';
import { textOf } from './python_text.ts';
import {
  NONE,
  Callable,
  Float,
  Tuple,
  Undefined,
  View,
  TemplateFault,
  compare,
  isEqual,
  numberOf,
  type Value,
} from './value.ts';

export type Test = (value: Value, argument: Value) => boolean;

const whole = (value: Value): number => {
  const number = numberOf(value);
  if (number === undefined) throw new TemplateFault('this test takes a number');
  return number;
};
const remainder = (value: Value, by: number): number => whole(value) - Math.floor(whole(value) / by) * by;
const isText = (value: Value): value is string => typeof value === 'string';
const isInteger = (value: Value): boolean => typeof value === 'number' || typeof value === 'bigint';
const isUpper = (text: string): boolean => text === text.toUpperCase() && text !== text.toLowerCase();
const isLower = (text: string): boolean => text === text.toLowerCase() && text !== text.toUpperCase();
const isSequence = (value: Value): boolean =>
  isText(value) || Array.isArray(value) || value instanceof Map || value instanceof Tuple || value instanceof Undefined;

const equal: Test = (value, other) => isEqual(value, other);
const unequal: Test = (value, other) => !isEqual(value, other);
const below: Test = (value, other) => compare(value, other) < 0;
const above: Test = (value, other) => compare(value, other) > 0;
const atMost: Test = (value, other) => compare(value, other) <= 0;
const atLeast: Test = (value, other) => compare(value, other) >= 0;

const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', (value) => !(value instanceof Undefined)],
  ['undefined', (value) => value instanceof Undefined],
  ['none', (value) => value === NONE],
  ['true', (value) => value === true],
  ['false', (value) => value === false],
  ['boolean', (value) => typeof value === 'boolean'],
  ['integer', isInteger],
  ['float', (value) => value instanceof Float],
  ['number', (value) => numberOf(value) !== undefined || isInteger(value)],
  ['string', isText],
  ['mapping', (value) => value instanceof Map],
  ['sequence', isSequence],
  ['iterable', (value) => isSequence(value) || value instanceof View],
  ['callable', (value) => value instanceof Callable || value instanceof Undefined],
  ['odd', (value) => remainder(value, 2) === 1],
  ['even', (value) => remainder(value, 2) === 0],
  ['divisibleby', (value, by) => remainder(value, whole(by)) === 0],
  ['upper', (value) => isUpper(textOf(value))],
  ['lower', (value) => isLower(textOf(value))],
  ['in', (value, container) => contains(container, value)],
  [
    'sameas',
    (value, other) =>
      value === other || (value instanceof Float && other instanceof Float && value.value === other.value),
  ],
  ...['eq', 'equalto', '=='].map((name): [string, Test] => [name, equal]),
  ...['ne', '!='].map((name): [string, Test] => [name, unequal]),
  ...['lt', 'lessthan', '<'].map((name): [string, Test] => [name, below]),
  ...['gt', 'greaterthan', '>'].map((name): [string, Test] => [name, above]),
  ...['le', '<='].map((name): [string, Test] => [name, atMost]),
  ...['ge', '>='].map((name): [string, Test] => [name, atLeast]),
]);

/** A test by its name at run time. Throws `TemplateFault` if there is none. */
export function testOf(name: Value): Test {
  const test = typeof name === 'string' ? TESTS.get(name) : undefined;
  if (test === undefined) throw new TemplateFault(`no test named ${JSON.stringify(name)}`);
  return test;
}
