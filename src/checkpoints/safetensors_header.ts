/**
 * The header of a safetensors file: a JSON object that says for each tensor its dtype, shape and bytes `[begin, end)`
 * within the data that follows the header. Reading trusts nothing: a header that passes describes data without gaps,
 * overlaps or bytes that are not there. Format: 8 bytes of header length (little-endian), header padded with spaces to a
 * multiple of 8 bytes, data.
 */
import { z } from 'zod';
import { DamagedCheckpoint } from './errors.ts';
import { DTYPE_BYTES, elementCount, isDtype } from './tensor.ts';
import type { Dtype } from './tensor.ts';

export const LENGTH_BYTES = 8;

/** What the format's own reader allows. */
export const MAX_HEADER_BYTES = 100_000_000;

export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Bytes `[begin, end)` of the data. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

const count = z.int().min(0);
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});
const metadataSchema = z.record(z.string(), z.string());

/** The length field and the padded header for entries that lie one after another. */
export function encodeHeader(entries: readonly TensorEntry[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const parts = entries.map(({ name, dtype, shape, begin, end }) => {
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`;
  });
  if (Object.keys(metadata).length > 0) parts.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = Buffer.from(`{${parts.join(',')}}`, 'utf8');
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(LENGTH_BYTES + padded, ' ');
  bytes.writeBigUInt64LE(BigInt(padded));
  json.copy(bytes, LENGTH_BYTES);
  return bytes;
}

/** Bytes of the header that follows the length field, checked against the size of the file. */
export function headerBytes(lengthField: Uint8Array, fileBytes: number, path: string, remedy: string): number {
  const claimed = Buffer.from(lengthField).readBigUInt64LE();
  if (claimed > BigInt(MAX_HEADER_BYTES)) {
    throw new DamagedCheckpoint(path, `its header claims ${claimed} bytes, no safetensors header is so long`, remedy);
  }
  if (claimed > BigInt(fileBytes - LENGTH_BYTES)) {
    const reason = `its header claims ${claimed} bytes, the file has ${fileBytes} in all`;
    throw new DamagedCheckpoint(path, reason, remedy);
  }
  return Number(claimed);
}

/** Parses and checks a header whose file has `dataBytes` bytes after it; throws `DamagedCheckpoint` with `remedy`. */
export function decodeHeader(header: Uint8Array, dataBytes: number, path: string, remedy: string): SafetensorsHeader {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new DamagedCheckpoint(path, reason, remedy, cause);
  };
  const check = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
    const result = schema.safeParse(value);
    return result.success ? result.data : refuse(`${what} is malformed: ${result.error.issues[0].message}`);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (cause) {
    refuse('its header is not JSON', cause);
  }
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return refuse('its header is no object');
  // Not a schema's record: that would lose a tensor named `__proto__`.
  const members: [string, unknown][] = Object.entries(parsed);
  for (const [name, value] of members) {
    if (name === '__metadata__') metadata = check(metadataSchema, value, "'__metadata__'");
    else entries.set(name, entryOf(name, check(entrySchema, value, `the entry of '${name}'`), refuse));
  }
  checkLayout([...entries.values()], dataBytes, refuse);
  return { entries, metadata };
}

type Refuse = (reason: string) => never;

function entryOf(name: string, found: z.output<typeof entrySchema>, refuse: Refuse): TensorEntry {
  const { dtype, shape } = found;
  const [begin, end] = found.data_offsets;
  const known = Object.keys(DTYPE_BYTES).join(', ');
  if (!isDtype(dtype)) return refuse(`tensor '${name}' has dtype '${dtype}', known are ${known}`);
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
  if (end - begin !== bytes) {
    refuse(`tensor '${name}' has ${end - begin} bytes, its shape [${shape.join(', ')}] of ${dtype} needs ${bytes}`);
  }
  return { name, dtype, shape, begin, end };
}

/** Entries may stand in any order, but together they must cover the data exactly once. */
function checkLayout(entries: readonly TensorEntry[], dataBytes: number, refuse: Refuse): void {
  let covered = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > dataBytes) {
      refuse(`tensor '${name}' ends at byte ${end} of the data, the file ends at ${dataBytes}: it is cut short`);
    }
    if (begin < covered) refuse(`tensor '${name}' begins at byte ${begin}, inside the tensor before it`);
    if (begin > covered) refuse(`bytes ${covered} to ${begin} before tensor '${name}' belong to no tensor`);
    covered = end;
  }
  if (covered < dataBytes) refuse(`its last ${dataBytes - covered} bytes belong to no tensor`);
}
