/** Macros of a template: parameters with defaults, `varargs` and `kwargs`, and a `caller` where a call block gives one. */
import { compiled, type Expression } from './expression.ts';
import { child, children, mentions, nameOf, type Node } from './node.ts';
import { Scope } from './scope.ts';
import { Callable, TemplateFault, Tuple, Undefined, type Args, type Value } from './value.ts';

export interface Signature {
  readonly parameters: readonly Parameter[];
  /** Whether the body takes arguments that no parameter has, as `varargs` and `kwargs`. */
  readonly takesMore: boolean;
  readonly takesNamed: boolean;
}

interface Parameter {
  readonly name: string;
  readonly fallback: Expression | undefined;
}

/** Of a macro or call block, whose parameters are under `field`. */
export function signatureOf(node: Node, field: string): Signature {
  const body = node.fields.get('body');
  const parameters = children(node, field).map(parameterOf);
  return { parameters, takesMore: mentions(body, 'varargs'), takesNamed: mentions(body, 'kwargs') };
}

function parameterOf(node: Node): Parameter {
  if (node.type !== 'KeywordArgumentExpression') return { name: nameOf(node), fallback: undefined };
  return { name: nameOf(child(node, 'key')), fallback: compiled(child(node, 'value')) };
}

/** A macro that sees the names of the place where it is defined. */
export function macroOf(
  name: string,
  signature: Signature,
  body: (scope: Scope) => string,
): (scope: Scope) => Callable {
  return (outer) =>
    new Callable((args) => {
      const scope = new Scope(outer);
      bind(name, signature, args, scope);
      return body(scope);
    });
}

function bind(
  macro: string,
  { parameters, takesMore, takesNamed }: Signature,
  { positional, named }: Args,
  scope: Scope,
): void {
  const left = new Map(named);
  parameters.forEach(({ name, fallback }, index) => {
    const value = positional[index] ?? left.get(name);
    left.delete(name);
    const missing = new Undefined(`parameter '${name}' was not provided`);
    scope.set(name, value ?? fallback?.(scope) ?? missing);
  });
  const caller = left.get('caller');
  if (caller !== undefined) scope.set('caller', caller);
  left.delete('caller');
  scope.set('varargs', new Tuple(positional.slice(parameters.length)));
  scope.set('kwargs', new Map<Value, Value>(left));
  if (left.size > 0 && !takesNamed)
    throw new TemplateFault(`macro '${macro}' takes no keyword argument '${[...left.keys()][0]}'`);
  if (positional.length > parameters.length && !takesMore) {
    throw new TemplateFault(`macro '${macro}' takes not more than ${parameters.length} argument(s)`);
  }
}
