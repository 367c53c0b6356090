/**
 * The record structures of a protocol: the lists of keys that the objects of its messages have, read from the schemas of
 * its table. Both ends read the same list from the same table, so an object travels as its number in the list and its
 * values, without keys. An object of other keys, or in another order, travels as a map: it costs more, and nothing else.
 */

import { z } from 'zod';
import type { AnyProtocol } from '../system/protocol.ts';

export type Structure = readonly string[];

/** Numbers of records are one byte, of which MessagePack readers know 32; what is beyond travels as maps. */
export const MAX_STRUCTURES = 32;

/** With more optional keys than these, an object has a structure with all of them and one with none. */
const MAX_VARYING = 3;

/** What no table says: a tensor and a ref, as they travel. */
const COMMON: readonly Structure[] = [
  ['dtype', 'shape', 'data'],
  ['address', 'protocol'],
];

/** What the runtime itself sends: errors, and the ends of actors. */
export const SYSTEM_STRUCTURES: readonly Structure[] = [
  ['tag', 'message'],
  ['address', 'reason', 'error'],
];

/** Of all args and replies of `protocol`, in the order of its table. */
export function structuresOf({ messages }: AnyProtocol): readonly Structure[] {
  const found = new Map<string, Structure>();
  const add = (keys: Structure): void => void found.set(JSON.stringify(keys), keys);
  COMMON.forEach(add);
  for (const spec of Object.values(messages)) {
    if (spec.args !== null) gather(spec.args, add);
    if (spec.kind === 'ask' && spec.reply !== null) gather(spec.reply, add);
  }
  return [...found.values()].slice(0, MAX_STRUCTURES);
}

function gather(schema: unknown, add: (keys: Structure) => void): void {
  if (schema instanceof z.ZodObject) {
    for (const keys of variantsOf(schema.shape)) if (keys.length > 0) add(keys);
  }
  for (const inner of innerOf(schema)) gather(inner, add);
}

/** The schemas that a schema is made of; none of one that refers to itself. */
export function innerOf(schema: unknown): readonly unknown[] {
  if (schema instanceof z.ZodObject) return Object.values(schema.shape);
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  if (schema instanceof z.ZodUnion) return schema.options;
  return isWrapper(schema) ? [schema.unwrap()] : [];
}

/** A schema that lets something more through than the one inside: null, or nothing. */
export const isWrapper = (
  schema: unknown,
): schema is z.ZodOptional | z.ZodExactOptional | z.ZodNullable | z.ZodReadonly =>
  schema instanceof z.ZodOptional ||
  schema instanceof z.ZodExactOptional ||
  schema instanceof z.ZodNullable ||
  schema instanceof z.ZodReadonly;

/** The keys of an object, with and without the optional ones. */
function variantsOf(shape: Readonly<Record<string, unknown>>): readonly Structure[] {
  const keys = Object.keys(shape);
  const varying = keys.filter((key) => isOptional(shape[key]));
  const without = (left: readonly string[]): Structure => keys.filter((key) => !left.includes(key));
  if (varying.length > MAX_VARYING) return [keys, without(varying)];
  return Array.from({ length: 2 ** varying.length }, (_, bits) =>
    without(varying.filter((_key, i) => ((bits >> i) & 1) === 1)),
  );
}

const isOptional = (schema: unknown): boolean =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional;
