/**
 * The JSON Schema of the topology file, for editors: they complete keys, show what a key means, and mark mistakes. Run
 * this file to write `configs/topology.schema.json`; a test fails when that is out of date. A file names it in its first
 * line:
 *
 *     # yaml-language-server: $schema=topology.schema.json
 */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { topologySchema } from './schema.ts';

/** The whole schema, draft 2020-12, as JSON text. */
export function topologyJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(topologySchema, { io: 'input' });
  return `${JSON.stringify({ $schema, title: 'Topology of a Troupe run', ...schema }, tidy, 2)}\n`;
}

/** What the schema says to our own messages. */
const ownKeys: ReadonlySet<string> = new Set(['allowed', 'later', 'laterValues', 'because', 'fp32']);

/** As a replacer of JSON: an editor shows descriptions only, so what is allowed goes there; keys of our own go. */
function tidy(key: string, value: unknown): unknown {
  if (ownKeys.has(key)) return undefined;
  // Only says that the number is a safe integer.
  if (Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER) return undefined;
  if (typeof value !== 'object' || value === null || !('allowed' in value) || !('description' in value)) return value;
  return { ...value, description: `${String(value.description)} Allowed: ${String(value.allowed)}.` };
}

if (import.meta.main) {
  writeFileSync(new URL('../../configs/topology.schema.json', import.meta.url), topologyJsonSchema());
}
