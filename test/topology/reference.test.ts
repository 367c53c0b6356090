/** The generated page of every key. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keyTree, type KeyNode } from '../../src/topology/key_tree.ts';
import { topologyReference } from '../../src/topology/reference.ts';

test('docs/reference/topology.md is what the schema says; run `node src/topology/reference.ts` after changing it', () => {
  const page = new URL('../../docs/reference/topology.md', import.meta.url);
  expect(readFileSync(page, 'utf8')).toBe(topologyReference());
});

test('every key has a description that ends with a full stop', () => {
  const undescribed = (node: KeyNode, path: string): string[] => [
    ...(node.description.endsWith('.') || path === '' ? [] : [path]),
    ...[...node.keys].flatMap(([key, child]) => undescribed(child, `${path}.${key}`)),
    ...(node.item === null ? [] : undescribed(node.item, `${path}[]`)),
  ];
  expect(undescribed(keyTree(), '')).toEqual([]);
});
