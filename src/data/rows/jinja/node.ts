/**
 * A node of the tree that `@huggingface/jinja` parses: its `type` and fields by name. The library's own declarations are
 * not reached from an ES module, so a field is checked where it is read, and a tree of another form is an error.
 */
import { TemplateFault } from './value.ts';

export interface Node {
  readonly type: string;
  readonly fields: ReadonlyMap<string, unknown>;
}

/** Throws `TemplateFault` for what is no node. */
export function nodeOf(tree: unknown): Node {
  if (typeof tree !== 'object' || tree === null) throw new TemplateFault(`the parser left out an expression`);
  const fields = new Map<string, unknown>(Object.entries(tree));
  const type = fields.get('type');
  if (typeof type !== 'string') throw new TemplateFault('the parser gave a node without a type');
  return { type, fields };
}

export const child = (node: Node, field: string): Node => nodeOf(node.fields.get(field));

/** A field that need not be there. */
export function childIfAny(node: Node, field: string): Node | undefined {
  const value = node.fields.get(field);
  return value === null || value === undefined ? undefined : nodeOf(value);
}

/** A field that is a list of nodes; empty where it is missing. */
export function children(node: Node, field: string): readonly Node[] {
  const value = node.fields.get(field) ?? [];
  if (!Array.isArray(value)) throw new TemplateFault(`the parser gave no list as ${field} of ${node.type}`);
  return value.map(nodeOf);
}

export function stringField(node: Node, field: string): string {
  const value = node.fields.get(field);
  if (typeof value !== 'string') throw new TemplateFault(`the parser gave no text as ${field} of ${node.type}`);
  return value;
}

export function numberField(node: Node, field: string): number {
  const value = node.fields.get(field);
  if (typeof value !== 'number') throw new TemplateFault(`the parser gave no number as ${field} of ${node.type}`);
  return value;
}

/** The name of an identifier. Throws `TemplateFault` for any other node. */
export function nameOf(node: Node): string {
  if (node.type !== 'Identifier') throw new TemplateFault(`a name is expected, not ${node.type}`);
  return stringField(node, 'value');
}

/** Whether a part of the tree has the name anywhere. */
export function mentions(tree: unknown, name: string): boolean {
  if (typeof tree !== 'object' || tree === null) return false;
  if (tree instanceof Map) return [...tree].some(([key, value]) => mentions(key, name) || mentions(value, name));
  const parts = Object.entries(tree);
  const isName = parts.some(([key, value]) => key === 'type' && value === 'Identifier');
  return parts.some(([key, value]) => (isName && key === 'value' ? value === name : mentions(value, name)));
}
