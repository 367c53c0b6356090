/**
 * Overrides from the command line: `--set training.steps=100` puts a value over the file's before validation. The value
 * is read as YAML, so numbers, booleans and flow lists work; null leaves out a key that has no default. Each remembers
 * the argument it came from, so that an error in it points there.
 */
import { ConfigError } from './config_error.ts';
import { nodeAt } from './key_tree.ts';
import { shortened, valueAt, withoutSecret, withValueAt } from './plain.ts';
import { readYaml } from './yaml_text.ts';

export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The argument as given, such as `--set training.steps=100`, but for a secret in it and the rest of a long value. */
  readonly source: string;
}

/** Reads `KEY=VALUE`. Throws ConfigError naming the argument. */
export function parseOverride(argument: string): Override {
  const split = argument.indexOf('=');
  const source = `--set ${argument.slice(0, split + 1)}${shortened(withoutSecret(argument.slice(split + 1)))}`;
  const path = argument.slice(0, Math.max(split, 0)).trim().split('.');
  if (split < 0 || path.includes('')) {
    throw new ConfigError(source, '', 'not of the form KEY=VALUE, for example training.steps=100');
  }
  const read = readYaml(argument.slice(split + 1));
  if ('fault' in read) throw new ConfigError(source, path.join('.'), `the value is not YAML (${read.fault})`);
  return { path, value: read.root, source };
}

/** Puts the overrides over the file's values, in order. Throws ConfigError where a key leads through a plain value. */
export function applyOverrides(root: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((before, { path, value, source }) => {
    const isLeftOut = value === null && nodeAt(path)?.isOptional === true;
    const after = withValueAt(before, path, isLeftOut ? undefined : value);
    if ('root' in after) return after.root;
    const list = path.slice(0, after.blockedAt);
    const remedy = valueAt(before, list) === undefined ? ', since the file does not give it; set all of it' : '';
    const reason = `${list.join('.')} has no key or item "${path[after.blockedAt]}"${remedy}`;
    throw new ConfigError(source, path.join('.'), reason);
  }, root);
}
