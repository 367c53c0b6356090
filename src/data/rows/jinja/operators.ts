/**
 * Python's operators on a template's values: arithmetic keeps whole numbers whole, `+` joins two texts or two lists and
 * nothing else, and every other pair is an error that names both types.
 */
import { floatText, textOf } from './python_text.ts';
import { formatted } from './format.ts';
import {
  Float,
  TemplateFault,
  Tuple,
  Undefined,
  compare,
  isEqual,
  itemsOf,
  lookUp,
  numberOf,
  typeName,
  undefinedAmong,
  type Value,
} from './value.ts';

/** Throws `TemplateFault` for operands that Python has no such operator for. */
export function binary(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case '==':
      return isEqual(left, right);
    case '!=':
      return !isEqual(left, right);
    case '<':
      return compare(left, right) < 0;
    case '>':
      return compare(left, right) > 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>=':
      return compare(left, right) >= 0;
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
    case '~':
      return textOf(left) + textOf(right);
    default:
      return arithmetic(operator, left, right);
  }
}

/** Whether a value is in a text, list or the keys of a dict. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    throw new TemplateFault(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Map) return lookUp(container, item) !== undefined;
  return itemsOf(container).some((candidate) => isEqual(candidate, item));
}

function arithmetic(operator: string, left: Value, right: Value): Value {
  if (left instanceof Undefined || right instanceof Undefined) throw undefinedAmong(left, right);
  if (operator === '%' && typeof left === 'string') return formatted(left, right);
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== undefined && b !== undefined) {
    return number(operator, a, b, left instanceof Float || right instanceof Float);
  }
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') return left + right;
    if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple([...left.items, ...right.items]);
  }
  if (operator === '*') {
    const repeated = times(left, right) ?? times(right, left);
    if (repeated !== undefined) return repeated;
  }
  throw new TemplateFault(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

/** A text or list so many times. */
function times(value: Value, count: Value): Value | undefined {
  if (typeof count !== 'number' && typeof count !== 'boolean') return undefined;
  const length = Math.max(0, Number(count));
  if (typeof value === 'string') return value.repeat(length);
  return Array.isArray(value) ? Array.from({ length }, () => value).flat() : undefined;
}

function number(operator: string, a: number, b: number, isFloat: boolean): Value {
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new TemplateFault('division by zero');
  const typed = (value: number): Value => (isFloat ? new Float(value) : whole(value));
  switch (operator) {
    case '+':
      return typed(a + b);
    case '-':
      return typed(a - b);
    case '*':
      return typed(a * b);
    case '/':
      return new Float(a / b);
    case '//':
      return typed(Math.floor(a / b));
    case '%':
      return typed(a - Math.floor(a / b) * b);
    case '**':
      if (a === 0 && b < 0) throw new TemplateFault('0.0 cannot be raised to a negative power');
      if (Number.isNaN(a ** b)) throw new TemplateFault('complex numbers are not supported in a template here');
      return b < 0 ? new Float(a ** b) : typed(a ** b);
    default:
      throw new TemplateFault(`unknown operator ${operator}`);
  }
}

/** Beyond 2^53 JavaScript would print other digits than Python, so such a number is refused. */
function whole(value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new TemplateFault(`the whole number ${floatText(value)} is beyond 2^53`);
}

/** `-x` and `+x`. */
export function negated(value: Value, sign: string): Value {
  const of = numberOf(value);
  if (of === undefined) throw new TemplateFault(`bad operand type for unary ${sign}: '${typeName(value)}'`);
  const result = sign === '-' ? -of : of;
  return value instanceof Float ? new Float(result) : result + 0;
}
