/**
 * A fault in a config, before it is known where it was written: the key and the words. Schema issues are put into words
 * here; `checks` makes the ones that concern several keys; `parse` finds the place.
 */
import type { z } from 'zod';
import { keyTree, nodeAt, pathsOfKey, type KeyNode } from './key_tree.ts';
import { nearest } from './nearest.ts';
import { describeValue, valueAt } from './plain.ts';

export interface Problem {
  /** Path of the key at fault. */
  readonly path: readonly string[];
  /** Other keys that had a part in it: the fault is shown at the first one that was written. */
  readonly others: readonly (readonly string[])[];
  /** What was found and what is allowed, without the key. */
  readonly text: string;
  /** Whether the key itself, rather than its value, is at fault. */
  readonly atKey: boolean;
}

/** The issues of a failed validation, in words. `root` holds the values that were validated. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], root: unknown): Problem[] {
  const problems = issues.flatMap((issue): readonly Problem[] => {
    const path = issue.path.map(String);
    if (issue.code !== 'unrecognized_keys') {
      return [{ path, others: [], text: badValue(path, valueAt(root, path)), atKey: false }];
    }
    return issue.keys.map((key) => ({ path: [...path, key], others: [], text: unknownKey(key, path), atKey: true }));
  });
  // A value may break several rules of one key; it is one fault to mend.
  const paths = problems.map(({ path }) => JSON.stringify(path));
  return problems.filter((_problem, i) => paths.indexOf(paths[i]) === i);
}

function unknownKey(key: string, section: readonly string[]): string {
  const known = [...(nodeAt(section) ?? keyTree).keys.keys()];
  const suggestion = nearest(key, known) ?? pathsOfKey(key).at(0);
  const isDotted = section.length === 0 && key.includes('.') && nodeAt(key.split('.')) !== null;
  const hint = isDotted ? dottedHint(key) : suggestion === undefined ? '' : `did you mean ${suggestion}? `;
  return `unknown key; ${hint}allowed here: ${known.join(', ')}`;
}

/** Dots are for `--set`. */
function dottedHint(key: string): string {
  const segments = key.split('.');
  return `in a file ${segments.at(-1)} stands below ${segments.slice(0, -1).join('.')}; `;
}

function badValue(path: readonly string[], value: unknown): string {
  const node = nodeAt(path) ?? keyTree;
  if (value === undefined) return `missing; allowed: ${node.allowed}`;
  const text = `found ${describeValue(value)}, allowed: ${node.allowed}`;
  return `${text}${reasonFor(node, value)}`;
}

/** What a later version will take, or the nearest allowed word. */
function reasonFor(node: KeyNode, value: unknown): string {
  if (node.later !== '') return ` (${node.later})`;
  if (typeof value !== 'string') return '';
  if (node.laterValues.includes(value)) return ` (${value} arrives in a later version)`;
  const close = nearest(value, node.allowed.split(' or '));
  return close === null ? '' : ` (did you mean ${close}?)`;
}
