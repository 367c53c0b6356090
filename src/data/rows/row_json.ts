/**
 * JSON of a row, with what JavaScript's reader would lose and templates print: `1.0` is a float and `1` is none, and whole
 * numbers beyond 2^53 keep their digits.
 */
import { Float } from './jinja/value.ts';

/** Only such texts have a number that is read otherwise. */
const SPECIAL_NUMBER = /\d[.eE]|\d{16}/;

/** Throws `SyntaxError`. */
export function parseRow(text: string): unknown {
  return SPECIAL_NUMBER.test(text) ? JSON.parse(text, kept) : JSON.parse(text);
}

/** The declarations of the language do not have the third argument yet. */
function kept(_key: string, value: unknown, ...[context]: readonly { readonly source?: string }[]): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined) return value;
  const isWritten = /[.eE]/.test(source);
  if (isWritten) return Number.isInteger(value) ? new Float(value) : value;
  return Number.isSafeInteger(value) ? value : BigInt(source);
}

/** A float as the plain number that it is. */
export const plainNumber = (value: unknown): unknown => (value instanceof Float ? value.value : value);
