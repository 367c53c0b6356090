/**
 * From the text of a topology file to a resolved `Topology`, or to one line that says what is wrong and where. Four
 * stages: YAML, overrides, schema, rules between keys; all faults of the first stage that has any are reported.
 */
import { type Document, LineCounter } from 'yaml';
import { overDefaults, readersOf, strangeKeys } from './architectures.ts';
import { checkTopology } from './checks.ts';
import { ConfigError } from './config_error.ts';
import { keyTree, type KeyNode } from './key_tree.ts';
import { applyOverrides, type Override } from './overrides.ts';
import { describeValue, isPlainMap } from './plain.ts';
import { type Problem, problemsOf } from './problem.ts';
import { type Topology, topologySchema } from './schema.ts';
import { placeOf } from './source_map.ts';
import { readYaml } from './yaml_text.ts';

/**
 * Parses a topology file. `file` is its name for messages; `overrides` go over its values. Throws ConfigError with one
 * line: place, key, what was found, what is allowed.
 */
export function parseTopology(text: string, file: string, overrides: readonly Override[] = []): Topology {
  // Some editors begin a file with a byte order mark; it is no column.
  const source = readSource(text.replace(/^\ufeff/, ''), file);
  const root = fillEmptySections(applyOverrides(source.root, overrides), keyTree());
  const result = topologySchema.safeParse(overDefaults(root));
  if (!result.success) throw report(problemsOf(result.error.issues, root), source, overrides);
  const problems = [...strangeProblems(root), ...checkTopology(result.data)];
  if (problems.length > 0) throw report(problems, source, overrides);
  return result.data;
}

/** Keys that the architecture does not read would change nothing, in silence. */
const strangeProblems = (root: unknown): Problem[] =>
  strangeKeys(root).map((key) => ({
    path: ['model', key],
    others: [],
    text: `model.architecture does not read it, ${readersOf(key).join(', ')} do; remove it`,
    atKey: true,
  }));

interface Source {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
  readonly root: unknown;
}

function readSource(text: string, file: string): Source {
  const lines = new LineCounter();
  const read = readYaml(text, lines);
  if ('fault' in read) throw new ConfigError(position(file, lines, read.offset), '', `not YAML: ${read.fault}`);
  const { document, root } = read;
  if (root === null) return { file, document, lines, root: {} };
  if (isPlainMap(root)) return { file, document, lines, root };
  throw new ConfigError(`${file}:1:1`, '', `found ${describeValue(root)}, allowed: a mapping of sections`);
}

/** A section of which every key is commented out reads as null, and means its defaults. */
function fillEmptySections(value: unknown, node: KeyNode): unknown {
  if (node.keys.size === 0) return value;
  if (value === null) return {};
  if (!isPlainMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const child = node.keys.get(key);
      return [key, child === undefined ? inner : fillEmptySections(inner, child)];
    }),
  );
}

/** Faults of arguments come after those of the file. */
const afterFile = Number.MAX_SAFE_INTEGER;

interface Located {
  readonly where: string;
  readonly key: string;
  readonly text: string;
  /** Offset in the file, for order. */
  readonly offset: number;
}

function report(problems: readonly Problem[], source: Source, overrides: readonly Override[]): ConfigError {
  const located = problems.map((problem) => locate(problem, source, overrides)).sort((a, b) => a.offset - b.offset);
  const [first, ...others] = located;
  const errors = others.map(({ where, key, text }) => new ConfigError(where, key, text));
  return new ConfigError(first.where, first.key, first.text, errors);
}

function locate(problem: Problem, source: Source, overrides: readonly Override[]): Located {
  const { text, atKey } = problem;
  const candidates = [problem.path, ...problem.others];
  const key = problem.path.map((segment) => segment || '""').join('.');
  for (const path of candidates) {
    const argument = overrides.findLast((override) => startsWith(path, override.path));
    if (argument !== undefined) return { where: argument.source, key, text, offset: afterFile };
    const place = placeOf(source.document, path);
    if (place === null) continue;
    const offset = atKey ? place.keyOffset : place.valueOffset;
    return { where: position(source.file, source.lines, offset), key, text, offset };
  }
  // A section that only an override made, or a key that is missing: the nearest thing around it that was written.
  const argument = overrides.findLast((override) => startsWith(override.path, problem.path));
  if (argument !== undefined) return { where: argument.source, key, text, offset: afterFile };
  for (let length = problem.path.length - 1; length >= 0; length -= 1) {
    const place = placeOf(source.document, problem.path.slice(0, length));
    if (place === null) continue;
    return { where: position(source.file, source.lines, place.keyOffset), key, text, offset: place.keyOffset };
  }
  return { where: `${source.file}:1:1`, key, text, offset: 0 };
}

const startsWith = (path: readonly string[], prefix: readonly string[]): boolean =>
  prefix.length <= path.length && prefix.every((segment, index) => segment === path[index]);

function position(file: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
}
