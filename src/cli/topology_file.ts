/**
 * The topology file that a command names, with what its options change: text from the disk, `--set` over it, parsed and
 * checked. Every command that takes a FILE.yaml reads it here, so that a fault in it reads the same everywhere.
 */
import { isUtf8 } from 'node:buffer';
import { readUpTo } from '../data/small_text.ts';
import { codeOf } from '../system_error.ts';
import { parseOverride, parseTopology, type Override, type Topology } from '../topology/index.ts';
import type { TopologyFlags } from './topology_options.ts';
import { UsageError } from './usage_error.ts';

/** Reads and checks the file. Throws `UsageError` where it cannot be read, `ConfigError` where it is wrong. */
export function readTopology(file: string, flags: TopologyFlags): Topology {
  return parseTopology(readText(file), file, overridesOf(flags));
}

function overridesOf({ set = [], steps }: TopologyFlags): Override[] {
  const overrides = set.map(parseOverride);
  if (steps === undefined) return overrides;
  const { path, value } = parseOverride(`training.steps=${steps}`);
  return [...overrides, { path, value, source: `--steps ${steps}` }];
}

/** A topology has a few kilobytes. */
const MOST_BYTES = 2 ** 22;

function readText(file: string): string {
  let bytes: Buffer | null;
  try {
    bytes = readUpTo(file, MOST_BYTES);
  } catch (error) {
    const code = codeOf(error);
    const reason = code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`;
    throw new UsageError(`${file}: ${reason}; give a topology file, for example configs/quickstart.yaml`);
  }
  if (bytes === null) {
    throw new UsageError(`${file}: has more than ${MOST_BYTES / 2 ** 20} MiB; give a topology file, not a text`);
  }
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new UsageError(`${file}: is not UTF-8 text; save it as UTF-8, or give a topology file`);
}
