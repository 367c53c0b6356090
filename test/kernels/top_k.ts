/** Rows to choose from, with ties and numbers that are none, and what sorting chooses of them. */
import * as k from '../../src/kernels/index.ts';
import type { Program } from '../../src/kernels/index.ts';
import type { Run } from './kit.ts';

export interface TopKCase {
  readonly width: number;
  readonly count: number;
  readonly groups: number;
  readonly keep: number;
}

export const topKCases: readonly TopKCase[] = [
  [5, 3, 1, 1],
  [8, 1, 1, 1],
  [8, 8, 1, 1],
  [12, 2, 1, 1],
  [64, 4, 1, 1],
  [100, 2, 1, 1],
  [256, 8, 8, 4],
  [32, 4, 8, 2],
  [48, 3, 2, 1],
  [40, 2, 40, 3],
  [72, 40, 1, 1],
].map(([width, count, groups, keep]) => ({ width, count, groups, keep }));

export const topKProgram = ({ width, count, groups, keep }: TopKCase, rows: number): Program =>
  k.trace('top', { x: k.f32([k.dynamic('rows', rows), width]) }, ({ x }) => ({
    ...k.topK(x, count, { groups, keep }),
  }));

/** Scattered numbers of which many are equal; in every third row some are none, and one row has none at all. */
export const topKRows = ({ width }: TopKCase, rows: number): Float32Array =>
  Float32Array.from({ length: rows * width }, (_, i) => {
    const r = Math.floor(i / width);
    if (r === 5) return NaN;
    if (r % 3 === 2 && i % 4 === 0) return [NaN, -Infinity, Infinity, -0][(i / 4) % 4];
    return r % 2 === 0 ? ((i * 7919) % 1009) / 97 - 5 : (i * 31) % 7;
  });

/** Indices by sorting: the definition, in float64. */
export function sortedIndices(x: Float32Array, { width, count, groups, keep }: TopKCase): number[] {
  const size = width / groups;
  const byKey = (keys: readonly number[]) => (a: number, b: number) => Math.sign(keys[b] - keys[a]) || a - b;
  return Array.from({ length: x.length / width }, (_, r) => {
    const keys = Array.from(x.subarray(r * width, (r + 1) * width), (v) =>
      Math.max(Number.isNaN(v) ? -3e38 : v, -3e38),
    );
    const worths = Array.from({ length: groups }, (_, g) => {
      const sorted = keys.slice(g * size, (g + 1) * size).sort((a, b) => b - a);
      return Math.fround(sorted[0] + (sorted[1] ?? 0));
    });
    const open = new Set([...worths.keys()].sort(byKey(worths)).slice(0, keep));
    const choosable = [...keys.keys()].filter((e) => open.has(Math.floor(e / size)));
    return choosable.sort(byKey(keys)).slice(0, count);
  }).flat();
}

/** Indices and values that a run gives, beside those of sorting. */
export async function runTopK(run: Run, each: TopKCase, rows: number) {
  const x = topKRows(each, rows);
  const { values, indices } = await run(topKProgram(each, rows), { x }, { rows });
  const sorted = sortedIndices(x, each);
  const places = sorted.map((e, i) => Math.floor(i / each.count) * each.width + e);
  return {
    actual: { indices: [...indices], values: [...values] },
    expected: { indices: sorted, values: places.map((at) => x[at]) },
  };
}
