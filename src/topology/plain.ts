/**
 * Plain values, as YAML gives them: reading and writing by key path. A path is a list of segments, `data.blend.0.name`
 * when written; a number steps into a list.
 */

/** A mapping of a YAML file, after parsing. */
export type PlainMap = Record<string, unknown>;

export function isPlainMap(value: unknown): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path; undefined where there is none. */
export function valueAt(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const segment of path) {
    if (Array.isArray(value)) {
      const list: readonly unknown[] = value;
      value = list[Number(segment)];
    } else if (isPlainMap(value) && Object.hasOwn(value, segment)) value = value[segment];
    else return undefined;
  }
  return value;
}

/**
 * A copy of `root` with the value at `path` replaced, or the key left out where the value is undefined; missing mappings
 * are made on the way, but no lists. Returns the length of the part of the path that has no such key or item, where that
 * forbids going on.
 */
export function withValueAt(
  root: unknown,
  path: readonly string[],
  value: unknown,
): { readonly root: unknown } | { readonly blockedAt: number } {
  if (path.length === 0) return { root: value };
  const [segment, ...rest] = path;
  const inner = withValueAt(valueAt(root, [segment]), rest, value);
  if ('blockedAt' in inner) return { blockedAt: inner.blockedAt + 1 };
  if (Array.isArray(root)) {
    const index = Number(segment);
    if (!(Number.isInteger(index) && index >= 0 && index <= root.length)) return { blockedAt: 0 };
    const list: unknown[] = [...(root as readonly unknown[])];
    list[index] = inner.root;
    return { root: list };
  }
  // No key is a number: this is an item of a list that is not there.
  if (!isPlainMap(root ?? {}) || (!isPlainMap(root) && /^\d+$/.test(segment))) return { blockedAt: 0 };
  // Entries, not assignment: a key named __proto__ must stay a key, to be refused as unknown.
  const entries = new Map(Object.entries(root ?? {}));
  if (inner.root === undefined) entries.delete(segment);
  else entries.set(segment, inner.root);
  return { root: Object.fromEntries(entries) };
}

/** What stands before the host of a URL; it may be a token, which no message shows. */
const secretInUrl = /\/\/[^@/\s]*@/;

/** Text that may hold a URL, without what stands before its host. */
export const withoutSecret = (text: string): string => text.replace(secretInUrl, '//…@');

/** Text as a message has it: of a long one, the beginning. */
export const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

/** A value in a message: `"abc"`, `3`, `a list of 2`, `nothing`. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'string') return JSON.stringify(shortened(withoutSecret(value)));
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  return 'a mapping';
}
