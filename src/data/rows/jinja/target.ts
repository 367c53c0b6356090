/**
 * What a compiled statement is, and where `set` and `for` put a value: a name, several names, or an attribute of a
 * namespace.
 */
import { compiled } from './expression.ts';
import { child, children, nameOf, type Node } from './node.ts';
import type { Output, Scope } from './scope.ts';
import { Namespace, TemplateFault, itemsOf, type Value } from './value.ts';

/** Writes to the output, and says whether the loop around it is to be left or to go on with its next round. */
export type Statement = (scope: Scope, output: Output) => 'break' | 'continue' | undefined;

/** Throws `TemplateFault` for what nothing can be assigned to. */
export function target(node: Node): (scope: Scope, value: Value) => void {
  if (node.type === 'TupleLiteral') {
    const parts = children(node, 'value').map(target);
    return (scope, value) => {
      const items = itemsOf(value);
      if (items.length !== parts.length) {
        throw new TemplateFault(`${items.length} values for ${parts.length} names`);
      }
      parts.forEach((assign, index) => assign(scope, items[index]));
    };
  }
  if (node.type === 'MemberExpression' && node.fields.get('computed') !== true) {
    const [object, name] = [compiled(child(node, 'object')), nameOf(child(node, 'property'))];
    return (scope, value) => {
      const space = object(scope);
      if (!(space instanceof Namespace))
        throw new TemplateFault(`cannot assign attribute '${name}' on non-namespace object`);
      space.attributes.set(name, value);
    };
  }
  const name = nameOf(node);
  return (scope, value) => scope.set(name, value);
}
