/**
 * Statements of a template, compiled: each becomes a function that writes to the output, and says whether a loop is to be
 * left or begun anew. Scopes follow Jinja's: what a loop's body sets is gone in its next round.
 */
import { called, compiled, compiledArgs, filtered, type Expression } from './expression.ts';
import { loopStatement } from './loop.ts';
import { target, type Statement } from './target.ts';
import { macroOf, signatureOf } from './macro.ts';
import { child, childIfAny, children, nameOf, type Node } from './node.ts';
import { textOf } from './python_text.ts';
import { Output, Scope } from './scope.ts';
import { Undefined, isTrue, type Value } from './value.ts';

/** Throws `TemplateFault` for what is not supported, with its name. */
export function block(nodes: readonly Node[]): Statement {
  const statements = nodes.map(statement);
  return (scope, output) => {
    for (const each of statements) {
      const flow = each(scope, output);
      if (flow !== undefined) return flow;
    }
    return undefined;
  };
}

function statement(node: Node): Statement {
  switch (node.type) {
    case 'If':
      return condition(node);
    case 'For':
      return loopStatement(node, block);
    case 'Set':
      return assignment(node);
    case 'Macro':
      return definition(node);
    case 'CallStatement':
      return callBlock(node);
    case 'FilterStatement':
      return filterBlock(node);
    case 'Break':
      return () => 'break';
    case 'Continue':
      return () => 'continue';
    case 'Comment':
      return () => undefined;
    default:
      return printed(compiled(node));
  }
}

function printed(value: Expression): Statement {
  return (scope, output) => {
    output.write(textOf(value(scope)));
    return undefined;
  };
}

function condition(node: Node): Statement {
  const test = compiled(child(node, 'test'));
  const [then, otherwise] = [block(children(node, 'body')), block(children(node, 'alternate'))];
  return (scope, output) => (isTrue(test(scope)) ? then(scope, output) : otherwise(scope, output));
}

function assignment(node: Node): Statement {
  const assign = target(child(node, 'assignee'));
  const value = childIfAny(node, 'value');
  if (value !== undefined) {
    const expression = compiled(value);
    return (scope) => {
      assign(scope, expression(scope));
      return undefined;
    };
  }
  const body = captured(block(children(node, 'body')));
  return (scope) => {
    assign(scope, body(new Scope(scope)));
    return undefined;
  };
}

/** The text that statements write. */
export function captured(body: Statement): (scope: Scope) => string {
  return (scope) => {
    const output = new Output();
    body(scope, output);
    return output.text;
  };
}

function definition(node: Node): Statement {
  const name = nameOf(child(node, 'name'));
  const make = macroOf(name, signatureOf(node, 'args'), captured(block(children(node, 'body'))));
  return (scope) => {
    scope.set(name, make(scope));
    return undefined;
  };
}

/** `call`, and what is spelled as one: the assistant's turns, and `with`. */
function callBlock(node: Node): Statement {
  const invocation = child(node, 'call');
  const callee = child(invocation, 'callee');
  const [signature, body] = [signatureOf(node, 'callerArgs'), block(children(node, 'body'))];
  const name = callee.type === 'Identifier' ? nameOf(callee) : '';
  if (name === 'troupe_generation') {
    return (scope, output) => {
      const begin = output.length;
      body(new Scope(scope), output);
      output.markFrom(begin);
      return undefined;
    };
  }
  if (name === 'troupe_with') {
    return (scope, output) => {
      const inner = new Scope(scope);
      for (const { name: each, fallback } of signature.parameters) {
        inner.set(each, fallback?.(scope) ?? new Undefined(`'${each}' is undefined`));
      }
      return body(inner, output);
    };
  }
  const [macro, args] = [compiled(callee), compiledArgs(children(invocation, 'args'))];
  const caller = macroOf('caller', signature, captured(body));
  return (scope, output) => {
    const { positional, named } = args(scope);
    const all = new Map<string, Value>(named).set('caller', caller(scope));
    output.write(textOf(called(macro(scope), { positional, named: all })));
    return undefined;
  };
}

function filterBlock(node: Node): Statement {
  const body = captured(block(children(node, 'body')));
  return printed(filtered(child(node, 'filter'), (scope) => body(new Scope(scope))));
}
