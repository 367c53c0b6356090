/**
 * Byte sizes as people write them: `2GiB`, `256 KiB`, `1.5GB`, `4096`. Binary units are powers of 1024, decimal ones
 * of 1000. Reading and writing are inverse for every whole number of bytes.
 */

const bytesPerUnit = new Map<string, number>([
  ['b', 1],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
]);

/** Bytes in a size such as `2GiB`; null where the text is no size, or no whole number of at least one byte. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) return null;
  const unit = match[2] === '' ? 1 : bytesPerUnit.get(match[2].toLowerCase());
  if (unit === undefined) return null;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : null;
}

/** The shortest exact form in binary units: 268435456 is `256MiB`, 1000 is `1000`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['TiB', 2 ** 40],
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}
