/**
 * A fault in a config, before it is known where it was written: the key and the words. Schema issues are put into words
 * here; `checks` makes the ones that concern several keys; `parse` finds the place.
 */
import type { z } from 'zod';
import { keyTree, nodeAt, pathsOfKey, type KeyNode } from './key_tree.ts';
import { lostInFp32 } from './fp32.ts';
import { nearest } from './nearest.ts';
import { ourNameOf } from './other_names.ts';
import { describeValue, valueAt } from './plain.ts';
import type { Topology } from './schema.ts';

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

/** A rule that concerns several keys: a pure function to a problem, or null where it is kept. */
export type Rule = (topology: Topology) => Problem | null;

/** A broken rule at `key`; `others` had a part in it. */
export function problem(text: string, key: string, ...others: readonly string[]): Problem {
  return { path: key.split('.'), others: others.map((other) => other.split('.')), text, atKey: false };
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
  const known = [...(nodeAt(section) ?? keyTree()).keys.keys()];
  const other = ourNameOf(key);
  // In the section of its key the last word of the path says enough.
  const isHere = section.length > 0 && other?.startsWith(`${section.join('.')}.`);
  const ours = isHere ? other?.split('.').at(-1) : other;
  const suggestion = ours ?? nearest(key, known) ?? pathsOfKey(key).at(0);
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
  const node = nodeAt(path) ?? keyTree();
  if (value === undefined) return `missing; allowed: ${node.allowed}`;
  const text = `found ${describeValue(value)}, allowed: ${node.allowed}`;
  return `${text}${reasonFor(node, value)}`;
}

const bracketed = (reason: string): string => (reason === '' ? '' : ` (${reason})`);

/** Why a number is too large, or what fp32 makes of one that is not. */
function numberReason({ because, fp32, most }: KeyNode, value: number): string {
  if (most !== null && value > most) return because;
  if (fp32 === null)
    return Number.isInteger(value) && value > Number.MAX_SAFE_INTEGER ? 'whole numbers are exact up to 2^53 - 1' : '';
  const isInRange = value > 0 && Number.isFinite(value) && (fp32 === 'number' || value < 1);
  return (isInRange ? lostInFp32(fp32, value) : null) ?? '';
}

/** What a later version will take, why a number is refused, or the nearest allowed word. */
function reasonFor(node: KeyNode, value: unknown): string {
  if (node.later !== '') return ` (${node.later})`;
  if (typeof value === 'number') return bracketed(numberReason(node, value));
  if (typeof value !== 'string') return '';
  if (node.laterValues.includes(value)) return ` (${value} arrives in a later version)`;
  const close = nearest(value, node.allowed.split(' or '));
  return close === null ? '' : ` (did you mean ${close}?)`;
}
