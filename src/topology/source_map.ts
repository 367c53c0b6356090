/**
 * Where a key was written. Walks the YAML document by key path, through anchors and merge keys, so that a fault found in
 * the resolved values points at a line and a column.
 */
import { type Document, isAlias, isMap, isNode, isPair, isScalar, isSeq, type Node } from 'yaml';

/** Offsets in the file's text, from 0. */
export interface Place {
  readonly keyOffset: number;
  readonly valueOffset: number;
}

/** Where the key at `path` was written; null where it was not. */
export function placeOf(document: Document, path: readonly string[]): Place | null {
  let node: Node | null = document.contents;
  let place: Place = { keyOffset: offsetOf(node), valueOffset: offsetOf(node) };
  for (const segment of path) {
    const step = stepInto(resolve(document, node), segment, document);
    if (step === null) return null;
    node = step.value;
    const keyOffset = offsetOf(step.key);
    place = { keyOffset, valueOffset: node === null ? keyOffset : offsetOf(node) };
  }
  return place;
}

interface Step {
  readonly key: Node | null;
  readonly value: Node | null;
}

function stepInto(node: Node | null, segment: string, document: Document): Step | null {
  if (isSeq(node)) {
    const item = node.items[Number(segment)];
    return isNode(item) ? { key: item, value: item } : null;
  }
  if (!isMap(node)) return null;
  const merged: Step[] = [];
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const value = isNode(pair.value) ? pair.value : null;
    if (String(pair.key.value) === segment) return { key: pair.key, value };
    // A merge key may be a symbol; its source text is what says that it is one.
    if (pair.key.source === '<<') merged.push({ key: pair.key, value });
  }
  for (const { value } of merged) {
    const source = resolve(document, value);
    const maps = isSeq(source) ? source.items.filter(isNode) : [source];
    for (const map of maps) {
      const step = stepInto(resolve(document, map), segment, document);
      if (step !== null) return step;
    }
  }
  return null;
}

function resolve(document: Document, node: Node | null): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node;
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}
