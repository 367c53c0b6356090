/**
 * The keys of a topology file as a tree: what each means and what it allows, in words. Read back from the schema through
 * its JSON Schema, so that error messages and the reference can never disagree with what is checked.
 */
import { z } from 'zod';
import type { Fp32Use } from './fp32.ts';
import { topologySchema } from './schema.ts';

export interface KeyNode {
  readonly description: string;
  /** What a value may be, in words: `a whole number, 1 or more`. */
  readonly allowed: string;
  /** Known values that a later version will run. */
  readonly laterValues: readonly string[];
  /** Why other values are refused for now; empty where there is nothing to say. */
  readonly later: string;
  /** The largest number that is taken; null where there is no limit but that of whole numbers. */
  readonly most: number | null;
  /** Why no larger number is taken; empty where there is no limit that needs a reason. */
  readonly because: string;
  /** How fp32 computes with it; null where it does not. */
  readonly fp32: Fp32Use | null;
  /** Whether a list's item must have it; nothing else in the file is required. */
  readonly required: boolean;
  /** Whether a resolved file may be without it: it has no default. */
  readonly isOptional: boolean;
  /** Keys of a section; empty for a value. */
  readonly keys: ReadonlyMap<string, KeyNode>;
  /** Items of a list of sections. */
  readonly item: KeyNode | null;
}

const uses: readonly Fp32Use[] = ['number', 'decay', 'spread'];

type JsonSchema = z.core.JSONSchema.BaseSchema;

let tree: KeyNode | null = null;

/** The root of the tree: the whole file. Drawn up when it is first asked for: most threads read no file. */
export function keyTree(): KeyNode {
  tree ??= nodeOf(z.toJSONSchema(topologySchema, { io: 'input' }), z.toJSONSchema(topologySchema, { io: 'output' }));
  return tree;
}

/** The node that speaks for a path: the key itself, or the list that holds an item. */
export function nodeAt(path: readonly string[]): KeyNode | null {
  let node = keyTree();
  for (const segment of path) {
    const next = node.keys.get(segment) ?? (/^\d+$/.test(segment) ? (node.item ?? node) : null);
    if (next === null) return null;
    node = next;
  }
  return node;
}

/** Every path of the tree that ends in `key`, for keys written in the wrong section. */
export function pathsOfKey(key: string, node: KeyNode = keyTree(), prefix: readonly string[] = []): string[] {
  return [...node.keys].flatMap(([name, child]) => {
    const path = [...prefix, name];
    return [...(name === key ? [path.join('.')] : []), ...pathsOfKey(key, child, path)];
  });
}

/** `written` describes the key in a file, `resolved` the same in a resolved one. */
function nodeOf(
  written: JsonSchema,
  resolved: JsonSchema,
  { required, isOptional }: Pick<KeyNode, 'required' | 'isOptional'> = { required: false, isOptional: false },
): KeyNode {
  const keys = new Map<string, KeyNode>();
  for (const [name, property] of Object.entries(written.properties ?? {})) {
    const after = resolved.properties?.[name];
    if (typeof property === 'boolean' || after === undefined || typeof after === 'boolean') continue;
    const has = ({ required: names }: JsonSchema): boolean => names?.includes(name) ?? false;
    keys.set(name, nodeOf(property, after, { required: has(written), isOptional: !has(resolved) }));
  }
  const [item, itemAfter] = [written.items, resolved.items];
  return {
    description: written.description ?? '',
    allowed: allowedBy(written),
    laterValues: Array.isArray(written.laterValues) ? written.laterValues.map(String) : [],
    later: typeof written.later === 'string' ? written.later : '',
    most: mostOf(written),
    because: typeof written.because === 'string' ? written.because : '',
    fp32: uses.find((use) => use === written.fp32) ?? null,
    required,
    isOptional,
    keys,
    item: isSection(item) && isSection(itemAfter) ? nodeOf(item, itemAfter) : null,
  };
}

function isSection(items: JsonSchema['items']): items is JsonSchema {
  return typeof items === 'object' && !Array.isArray(items) && items.type === 'object';
}

function allowedBy(schema: JsonSchema): string {
  if (typeof schema.allowed === 'string') return schema.allowed;
  if (schema.enum !== undefined) return schema.enum.map(String).join(' or ');
  if (schema.const !== undefined) return String(schema.const);
  switch (schema.type) {
    case 'integer':
      return `a whole number${rangeOf(schema)}`;
    case 'number':
      return `a number${rangeOf(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list with at least one item';
    case 'object':
      return 'a mapping of keys';
    default:
      return 'text';
  }
}

/** Zod bounds every integer by what a double holds exactly; that is no news to anyone. */
function mostOf({ maximum }: JsonSchema): number | null {
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? null : maximum;
}

function rangeOf(schema: JsonSchema): string {
  const { minimum, exclusiveMinimum, exclusiveMaximum } = schema;
  const maximum = mostOf(schema);
  if (minimum !== undefined && maximum !== null) return ` from ${minimum} to ${maximum}`;
  const least = minimum !== undefined ? `, ${minimum} or more` : ` above ${exclusiveMinimum ?? '-∞'}`;
  return exclusiveMaximum === undefined ? least : `${least} and less than ${exclusiveMaximum}`;
}
