/**
 * The k largest of each row, largest first; of equal ones the lowest index comes first. NaN is never chosen for itself: it
 * counts as the least number that there is, as −∞ does. Under a group limit only members of the best groups can be chosen.
 * There is no ONNX form: onnxruntime's TopK ends the process on an empty tensor.
 */
import { numbers } from '../arithmetic.ts';
import { requireFloats, requireRank, staticSize } from '../check.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { LEAST_KEY, type GroupLimit, type TopK } from './top_k_keys.ts';
import { emitTopK } from './top_k_lanes.ts';
import { topKPasses } from './top_k_shader.ts';

const op = defineOp<TopK>({
  name: 'top_k',
  infer: ([x], { k, groups, keep }) => {
    requireFloats('top_k', [x]);
    requireRank('top_k', 'x', x, 2);
    const width = staticSize('top_k', 'the width', x.shape[1]);
    if (groups < 1 || width % groups !== 0) throw new ShapeError('top_k', `${groups} groups do not divide ${width}`);
    if (keep < 1 || keep > groups) throw new ShapeError('top_k', `cannot keep ${keep} of ${groups} groups`);
    const choosable = (width / groups) * keep;
    if (k < 1 || k > choosable) throw new ShapeError('top_k', `cannot take ${k} of ${choosable}`);
    const shape = [x.shape[0], k];
    return [
      { dtype: 'f32', shape },
      { dtype: 'i32', shape },
    ];
  },
  reference: ([x], [values, indices], { k, groups, keep }) => {
    const from = floats('top_k', x.data);
    const value = floats('top_k', values.data);
    const index = ints('top_k', indices.data);
    const [rows, width] = x.shape;
    const size = width / groups;
    const kept = new Kept(k);
    const best = new Kept(Math.min(2, size));
    for (let r = 0; r < rows; r++) {
      const row = from.subarray(r * width, (r + 1) * width);
      const worths = Array.from({ length: keep === groups ? 0 : groups }, (_, g) => {
        best.clear();
        best.scan(row, g * size, (g + 1) * size);
        return best.keys.reduce((sum, key) => numbers.add(sum, key));
      });
      kept.clear();
      for (let g = 0; g < groups; g++) {
        if (keep === groups || rankOf(worths, g) < keep) kept.scan(row, g * size, (g + 1) * size);
      }
      kept.indices.forEach((e, i) => {
        value[r * k + i] = row[e];
        index[r * k + i] = e;
      });
    }
  },
  wasm: (kernel, [x], [values, indices], attributes) => emitTopK(kernel, x, { values, indices }, attributes),
  wgsl: (lowering, [x], [values, indices], attributes) => topKPasses(lowering, x, { values, indices }, attributes),
});

/** The largest so far, largest first. */
class Kept {
  readonly keys: number[];
  readonly indices: number[];

  constructor(k: number) {
    this.keys = new Array<number>(k);
    this.indices = new Array<number>(k);
  }

  clear(): void {
    this.keys.fill(-Infinity);
    this.indices.fill(0);
  }

  scan(row: Float32Array, first: number, end: number): void {
    const { keys, indices } = this;
    for (let e = first; e < end; e++) {
      const key = numbers.larger(row[e], LEAST_KEY);
      let at = keys.length;
      // Behind all that are at least as large: an equal one of lower index stays before.
      for (; at > 0 && keys[at - 1] < key; at--) {
        if (at === keys.length) continue;
        keys[at] = keys[at - 1];
        indices[at] = indices[at - 1];
      }
      if (at === keys.length) continue;
      keys[at] = key;
      indices[at] = e;
    }
  }
}

/** How many groups are worth more, or as much and stand before it. */
const rankOf = (worths: readonly number[], group: number): number =>
  worths.filter((worth, other) => worth > worths[group] || (worth === worths[group] && other < group)).length;

/**
 * x [R, E] → values [R, k] and indices i32 [R, k]; R may be dynamic. It has no gradient. A group is worth the sum of its two
 * largest. Throws `ShapeError` where groups do not divide E, and for k above what can be chosen from.
 */
export function topK(
  x: Value,
  k: number,
  { groups, keep }: GroupLimit = { groups: 1, keep: 1 },
): { readonly values: Value; readonly indices: Value } {
  const [values, indices] = op([x], { k, groups, keep });
  return { values, indices };
}

export type { GroupLimit };
