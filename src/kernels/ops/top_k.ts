/**
 * The k largest of each row, largest first; of equal ones the lowest index comes first. Host only: onnxruntime's TopK
 * ends the process on an empty tensor.
 */
import { requireFloats, requireRank, staticSize } from '../check.ts';
import { floats, ints } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { innerOf } from '../webgpu/lowering.ts';

const op = defineOp<{ k: number }>({
  name: 'top_k',
  infer: ([x], { k }) => {
    requireFloats('top_k', [x]);
    requireRank('top_k', 'x', x, 2);
    const width = staticSize('top_k', 'the width', x.shape[1]);
    if (k < 1 || k > width) throw new ShapeError('top_k', `cannot take ${k} of ${width}`);
    const shape = [x.shape[0], k];
    return [
      { dtype: 'f32', shape },
      { dtype: 'i32', shape },
    ];
  },
  reference: ([x], [values, indices], { k }) => {
    const from = floats('top_k', x.data);
    const value = floats('top_k', values.data);
    const index = ints('top_k', indices.data);
    const [rows, width] = x.shape;
    for (let r = 0; r < rows; r++) {
      const out = r * k;
      let count = 0;
      for (let e = 0; e < width; e++) {
        const candidate = from[r * width + e];
        // Insert behind all that are at least as large: an equal one of lower index stays before.
        let at = count;
        while (at > 0 && !(value[out + at - 1] >= candidate)) at--;
        if (at === k) continue;
        if (count < k) count++;
        for (let i = count - 1; i > at; i--) {
          value[out + i] = value[out + i - 1];
          index[out + i] = index[out + i - 1];
        }
        value[out + at] = candidate;
        index[out + at] = e;
      }
    }
  },
  wgsl: (lowering, [x], [values, indices], { k }) => {
    const width = innerOf(x.type.shape);
    lowering.each({
      label: 'top_k',
      reads: { x },
      writes: { values, indices },
      over: x.type.shape.slice(0, 1),
      // Each choice is the largest that comes after the last one: smaller, or equal with a higher index.
      body: `let start = i * ${width}u;
var last = 0f;
var last_index = -1;
for (var choice = 0u; choice < ${k}u; choice++) {
  var best = 0f;
  var best_index = -1;
  for (var e = 0; e < ${width}; e++) {
    let candidate = x[start + u32(e)];
    let is_left = last_index < 0 || candidate < last || (candidate == last && e > last_index);
    if (is_left && (best_index < 0 || candidate > best)) { best = candidate; best_index = e; }
  }
  values[i * ${k}u + choice] = best;
  indices[i * ${k}u + choice] = best_index;
  last = best;
  last_index = best_index;
}`,
    });
  },
});

/** x [R, E] → values [R, k] and indices i32 [R, k]; R may be dynamic. It has no gradient. Throws `ShapeError` for k > E. */
export function topK(x: Value, k: number): { readonly values: Value; readonly indices: Value } {
  const [values, indices] = op([x], { k });
  return { values, indices };
}
