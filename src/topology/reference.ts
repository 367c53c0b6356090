/**
 * The reference of the topology file, made from the schema: one table a section, one line a key. Run this file to write
 * `docs/reference/topology.md`; a test fails when that page is out of date.
 */
import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { toPlain } from './dump.ts';
import { keyTree, type KeyNode } from './key_tree.ts';
import { parseTopology } from './parse.ts';
import { valueAt } from './plain.ts';

const introduction = `# The topology file

One YAML file describes a run. Every key has a default, so an empty file is a valid one; unknown keys are errors. Paths and
globs are relative to the file. Any key can be set for one run: \`troupe launch FILE.yaml --set training.steps=100\`.

An editor with a YAML language server completes keys and marks mistakes where the first line of the file names the schema:
\`# yaml-language-server: $schema=PATH/topology.schema.json\`. It is in \`configs/\`; \`troupe init\` writes the
line where the schema lies below the working directory (a clone, or \`node_modules\`).

Some limits are of several keys together: 8,192 workers, 8,192 stage ranks, 65,536 microbatches a step, 2^24 tokens a
microbatch, 65,536 experts, 2^22 pairs of actors that send each other tensors, 2^53 sequences. The line of a refusal has
the sum and the key to lower. How much memory a run takes is no limit of the file: \`troupe plan\` says whether it fits.

This page is made from the schema (\`node src/topology/reference.ts\`).`;

/** The whole page, as Markdown. */
export function topologyReference(): string {
  const defaults = toPlain(parseTopology('', 'defaults'));
  const values = [...keyTree().keys].filter(([, node]) => (node.item ?? node).keys.size === 0);
  return [introduction, table(new Map(values), [], defaults), ...sections('', keyTree().keys, [], defaults)]
    .join('\n\n')
    .concat('\n');
}

/** Of those keys that are sections, or lists of them. */
function sections(
  prefix: string,
  keys: ReadonlyMap<string, KeyNode>,
  path: readonly string[],
  defaults: unknown,
): string[] {
  return [...keys].flatMap(([name, child]) => {
    const node = child.item ?? child;
    if (node.keys.size === 0) return [];
    const title = `${prefix}${name}${child.item === null ? '' : '[]'}`;
    const at = [...path, name, ...(child.item === null ? [] : ['0'])];
    const own = [`## \`${title}\``, node.description, table(node.keys, at, defaults)];
    return [...own, ...sections(`${title}.`, node.keys, at, defaults)];
  });
}

function table(keys: ReadonlyMap<string, KeyNode>, path: readonly string[], defaults: unknown): string {
  const rows = [...keys].map(([name, node]) => {
    const later = node.laterValues.length > 0 ? ` Later: ${node.laterValues.join(', ')}.` : '';
    const most = node.because === '' ? '' : ` No more than ${node.most}: ${node.because}.`;
    return `| \`${name}\` | ${defaultOf(node, [...path, name], defaults)} | ${node.allowed} | ${node.description}${later}${most} |`;
  });
  return ['| key | default | allowed | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function defaultOf(node: KeyNode, path: readonly string[], defaults: unknown): string {
  if (node.keys.size > 0 || node.item !== null) return 'below';
  if (node.required) return 'required';
  const value = valueAt(defaults, path);
  return value === undefined ? 'none' : `\`${stringify(value, { collectionStyle: 'flow' }).trim()}\``;
}

if (import.meta.main) {
  writeFileSync(new URL('../../docs/reference/topology.md', import.meta.url), topologyReference());
}
