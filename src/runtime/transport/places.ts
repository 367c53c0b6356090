/**
 * Where in the args of a message tensors and refs may be, read from its schema. They do not go through msgpackr: before
 * packing, a tensor's array is set aside, and its place behind the header is packed instead; a ref is packed as its two
 * names. After unpacking, both are put back. Where a schema says nothing, plain values may be, and nothing else.
 */

import { z } from 'zod';
import { isRefSchema } from '../system/ref.ts';
import { isTensorSchema } from '../system/tensor.ts';
import { innerOf, isWrapper } from './structures.ts';

export interface Places {
  readonly tensor: boolean;
  readonly ref: boolean;
  /** Not described by the schema. */
  readonly opaque: boolean;
  readonly fields: ReadonlyMap<string, Places>;
  /** Of the elements of a list. */
  readonly items: Places | null;
  /** Of the values of a dictionary. */
  readonly values: Places | null;
}

const NOTHING: Places = { tensor: false, ref: false, opaque: false, fields: new Map(), items: null, values: null };
const TENSOR: Places = { ...NOTHING, tensor: true };
const REF: Places = { ...NOTHING, ref: true };
const OPAQUE: Places = { ...NOTHING, opaque: true };

/** The places of `schema`; null if nothing in it needs a look. */
export function placesIn(schema: unknown): Places | null {
  if (isTensorSchema(schema)) return TENSOR;
  if (isRefSchema(schema)) return REF;
  if (schema instanceof z.ZodObject) return fieldsIn(schema.shape);
  if (schema instanceof z.ZodArray) return within('items', placesIn(schema.element));
  if (schema instanceof z.ZodRecord) return within('values', placesIn(schema.valueType));
  if (schema instanceof z.ZodUnion || isWrapper(schema)) return innerOf(schema).map(placesIn).reduce(either, null);
  return isScalar(schema) ? null : OPAQUE;
}

function fieldsIn(shape: Readonly<Record<string, unknown>>): Places | null {
  const fields = new Map<string, Places>();
  for (const [key, schema] of Object.entries(shape)) {
    const places = placesIn(schema);
    if (places !== null) fields.set(key, places);
  }
  return fields.size === 0 ? null : { ...NOTHING, fields };
}

const within = (where: 'items' | 'values', places: Places | null): Places | null =>
  places === null ? null : { ...NOTHING, [where]: places };

/** Of a value that may be one or the other. */
function either(a: Places | null, b: Places | null): Places | null {
  if (a === null || b === null) return a ?? b;
  const fields = new Map(a.fields);
  for (const [key, places] of b.fields) fields.set(key, either(fields.get(key) ?? null, places) ?? places);
  return {
    tensor: a.tensor || b.tensor,
    ref: a.ref || b.ref,
    opaque: a.opaque || b.opaque,
    fields,
    items: either(a.items, b.items),
    values: either(a.values, b.values),
  };
}

const isScalar = (schema: unknown): boolean =>
  schema instanceof z.ZodString ||
  schema instanceof z.ZodNumber ||
  schema instanceof z.ZodBoolean ||
  schema instanceof z.ZodLiteral ||
  schema instanceof z.ZodEnum ||
  schema instanceof z.ZodNull ||
  schema instanceof z.ZodUndefined;
