/** The `for` of a template: rounds over the items that pass its condition, with `loop` and, where asked for, recursion. */
import { compiled, type Expression } from './expression.ts';
import { child, children, type Node } from './node.ts';
import { Output, Scope } from './scope.ts';
import { target, type Statement } from './target.ts';
import { NONE, Callable, TemplateFault, Undefined, isEqual, isTrue, itemsOf, type Value } from './value.ts';

interface Loop {
  readonly assign: (scope: Scope, value: Value) => void;
  readonly test: Expression | undefined;
  readonly body: Statement;
  readonly otherwise: Statement;
  readonly isRecursive: boolean;
}

/** Throws `TemplateFault` for what is not supported, with its name. */
export function loopStatement(node: Node, block: (nodes: readonly Node[]) => Statement): Statement {
  const iterable = child(node, 'iterable');
  const isFiltered = iterable.type === 'SelectExpression';
  const over = isFiltered ? child(iterable, 'lhs') : iterable;
  const isRecursive =
    over.type === 'CallExpression' && child(over, 'callee').fields.get('value') === 'troupe_recursive';
  const source = compiled(isRecursive ? children(over, 'args')[0] : over);
  const loop: Loop = {
    assign: target(child(node, 'loopvar')),
    test: isFiltered ? compiled(child(iterable, 'test')) : undefined,
    body: block(children(node, 'body')),
    otherwise: block(children(node, 'defaultBlock')),
    isRecursive,
  };
  return (scope, output) => run(loop, source(scope), scope, output, 0);
}

function run(loop: Loop, over: Value, outer: Scope, output: Output, depth: number): undefined {
  const items = itemsOf(over).filter((item) => {
    if (loop.test === undefined) return true;
    const scope = new Scope(outer);
    loop.assign(scope, item);
    return isTrue(loop.test(scope));
  });
  if (items.length === 0) loop.otherwise(new Scope(outer), output);
  const changes: { last: readonly Value[] | undefined } = { last: undefined };
  for (const [index, item] of items.entries()) {
    const scope = new Scope(outer);
    scope.set('loop', loopValue(loop, items, index, outer, depth, changes));
    loop.assign(scope, item);
    if (loop.body(scope, output) === 'break') break;
  }
  return undefined;
}

function loopValue(
  loop: Loop,
  items: readonly Value[],
  index: number,
  outer: Scope,
  depth: number,
  changes: { last: readonly Value[] | undefined },
): Callable {
  const edge = (which: string): Undefined => new Undefined(`there is no ${which} item`);
  const cycle = new Callable(
    ({ positional }) => positional[index % positional.length] ?? new Undefined('cycle() has no items'),
  );
  const changed = new Callable(({ positional }) => {
    const isSame =
      changes.last?.length === positional.length && changes.last.every((value, at) => isEqual(value, positional[at]));
    changes.last = positional;
    return !isSame;
  });
  const members = new Map<string, Value>([
    ['index', index + 1],
    ['index0', index],
    ['revindex', items.length - index],
    ['revindex0', items.length - index - 1],
    ['first', index === 0],
    ['last', index === items.length - 1],
    ['length', items.length],
    ['depth', depth + 1],
    ['depth0', depth],
    ['previtem', items[index - 1] ?? edge('previous')],
    ['nextitem', items[index + 1] ?? edge('next')],
    ['cycle', cycle],
    ['changed', changed],
  ]);
  const again = ({ positional: [over = NONE] }: { readonly positional: readonly Value[] }): Value => {
    if (!loop.isRecursive) throw new TemplateFault(`the loop is called and is not recursive`);
    const output = new Output();
    run(loop, over, outer, output, depth + 1);
    return output.text;
  };
  return new Callable(again, members);
}
