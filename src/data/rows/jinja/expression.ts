/**
 * Expressions of a template, compiled: each becomes a function from the names it sees to its value. Names of filters and
 * tests are looked up here, so a template with one that there is not fails before it meets a row.
 */
import { filterOf } from './filters.ts';
import { attribute, item, sliced } from './methods.ts';
import { child, childIfAny, children, nameOf, nodeOf, numberField, stringField, type Node } from './node.ts';
import { textOf } from './python_text.ts';
import { binary, negated } from './operators.ts';
import type { Scope } from './scope.ts';
import { testOf } from './tests.ts';
import {
  NONE,
  Callable,
  Float,
  TemplateFault,
  Tuple,
  Undefined,
  isTrue,
  itemsOf,
  typeName,
  type Args,
  type Value,
} from './value.ts';

export type Expression = (scope: Scope) => Value;

/** Throws `TemplateFault` for what is not supported, with its name. */
export function compiled(node: Node): Expression {
  switch (node.type) {
    case 'Identifier': {
      const name = nameOf(node);
      return (scope) => scope.get(name);
    }
    case 'StringLiteral': {
      const text = stringField(node, 'value');
      return () => text;
    }
    case 'IntegerLiteral': {
      const value = numberField(node, 'value');
      return () => value;
    }
    case 'FloatLiteral': {
      const value = new Float(numberField(node, 'value'));
      return () => value;
    }
    case 'ArrayLiteral': {
      const items = children(node, 'value').map(compiled);
      return (scope) => items.map((each) => each(scope));
    }
    case 'TupleLiteral': {
      const items = children(node, 'value').map(compiled);
      return (scope) => new Tuple(items.map((each) => each(scope)));
    }
    case 'ObjectLiteral':
      return dict(node);
    case 'UnaryExpression':
      return unary(node);
    case 'BinaryExpression':
      return operation(node);
    case 'Ternary':
      return conditional(child(node, 'condition'), child(node, 'trueExpr'), child(node, 'falseExpr'));
    case 'SelectExpression':
      return conditional(child(node, 'test'), child(node, 'lhs'), undefined);
    case 'TestExpression': {
      const [operand, test] = [compiled(child(node, 'operand')), testOf(nameOf(child(node, 'test')))];
      const isWanted = node.fields.get('negate') !== true;
      return (scope) => test(operand(scope), NONE) === isWanted;
    }
    case 'FilterExpression':
      return filtered(child(node, 'filter'), compiled(child(node, 'operand')));
    case 'MemberExpression':
      return member(node);
    case 'CallExpression':
      return call(node);
    default:
      throw new TemplateFault(`${node.type} is not supported in a template here`);
  }
}

function dict(node: Node): Expression {
  const value = node.fields.get('value');
  if (!(value instanceof Map)) throw new TemplateFault('the parser gave a dict without entries');
  const entries = [...value].map(
    ([key, entry]: [unknown, unknown]) => [compiled(nodeOf(key)), compiled(nodeOf(entry))] as const,
  );
  return (scope) => new Map(entries.map(([key, entry]) => [key(scope), entry(scope)]));
}

function unary(node: Node): Expression {
  const argument = compiled(child(node, 'argument'));
  const sign = stringField(child(node, 'operator'), 'value');
  return sign === 'not' ? (scope) => !isTrue(argument(scope)) : (scope) => negated(argument(scope), sign);
}

function operation(node: Node): Expression {
  const [left, right] = [compiled(child(node, 'left')), compiled(child(node, 'right'))];
  const sign = stringField(child(node, 'operator'), 'value');
  if (sign === 'and' || sign === 'or') {
    return (scope) => {
      const first = left(scope);
      return isTrue(first) === (sign === 'and') ? right(scope) : first;
    };
  }
  return (scope) => binary(sign, left(scope), right(scope));
}

function conditional(test: Node, then: Node, otherwise: Node | undefined): Expression {
  const [is, yes, no] = [compiled(test), compiled(then), otherwise === undefined ? undefined : compiled(otherwise)];
  const none = new Undefined('the inline if-expression evaluated to false and no else section was defined');
  return (scope) => (isTrue(is(scope)) ? yes(scope) : (no?.(scope) ?? none));
}

/** Filters, and the tests with an argument that are spelled as filters. */
export function filtered(filter: Node, operand: Expression): Expression {
  const isCall = filter.type === 'CallExpression';
  const name = nameOf(isCall ? child(filter, 'callee') : filter);
  const args = isCall ? compiledArgs(children(filter, 'args')) : (): Args => ({ positional: [], named: new Map() });
  const spelled = /^troupe_is_(not_)?(.+)$/.exec(name);
  if (spelled !== null) {
    const test = testOf(spelled[2]);
    const isWanted = spelled[1] === undefined;
    return (scope) => test(operand(scope), args(scope).positional[0] ?? NONE) === isWanted;
  }
  const apply = filterOf(name);
  return (scope) => apply(operand(scope), args(scope));
}

function member(node: Node): Expression {
  const object = compiled(child(node, 'object'));
  const property = child(node, 'property');
  if (property.type === 'SliceExpression') {
    const [start, stop, step] = ['start', 'stop', 'step'].map((field) => {
      const bound = childIfAny(property, field);
      return bound === undefined ? (): Value => NONE : compiled(bound);
    });
    return (scope) => sliced(object(scope), start(scope), stop(scope), step(scope));
  }
  if (node.fields.get('computed') === true) {
    const key = compiled(property);
    return (scope) => item(object(scope), key(scope));
  }
  if (property.type === 'IntegerLiteral') {
    const index = numberField(property, 'value');
    return (scope) => item(object(scope), index);
  }
  const name = nameOf(property);
  return (scope) => attribute(object(scope), name);
}

function call(node: Node): Expression {
  const callee = child(node, 'callee');
  const args = compiledArgs(children(node, 'args'));
  if (callee.type === 'Identifier' && nameOf(callee) === 'troupe_tuple')
    return (scope) => new Tuple(args(scope).positional);
  const target = compiled(callee);
  return (scope) => called(target(scope), args(scope));
}

/** The result of a call. Throws `TemplateFault` if the value is no function. */
export function called(value: Value, args: Args): Value {
  if (value instanceof Callable) return value.call(args);
  throw new TemplateFault(value instanceof Undefined ? value.why : `'${typeName(value)}' object is not callable`);
}

/** Arguments of a call: by place, by name, `*list` and `**dict`. */
export function compiledArgs(nodes: readonly Node[]): (scope: Scope) => Args {
  const parts = nodes.map((node) => {
    const isNamed = node.type === 'KeywordArgumentExpression';
    const isSpread = node.type === 'SpreadExpression' || node.type === 'KeywordSpreadExpression';
    const value = compiled(isNamed ? child(node, 'value') : isSpread ? child(node, 'argument') : node);
    return { kind: node.type, name: isNamed ? nameOf(child(node, 'key')) : '', value };
  });
  return (scope) => {
    const positional: Value[] = [];
    const named = new Map<string, Value>();
    for (const { kind, name, value } of parts) {
      const given = value(scope);
      if (kind === 'KeywordArgumentExpression') named.set(name, given);
      else if (kind === 'SpreadExpression') positional.push(...itemsOf(given));
      else if (kind !== 'KeywordSpreadExpression') positional.push(given);
      else if (given instanceof Map) for (const [key, each] of given) named.set(textOf(key), each);
    }
    return { positional, named };
  };
}
