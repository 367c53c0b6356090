/**
 * `topK` on the WebGPU device, one row a workgroup: each choice is the largest that comes after the last one, smaller, or
 * equal with a higher index.
 */
import type { Typed } from '../type.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { literal } from '../webgpu/wgsl/arithmetic.ts';
import { LEAST_KEY, type TopK } from './top_k_keys.ts';

/** The element at `index`, NaN and what is lowest as the least number. */
const keyText = (index: string): string =>
  `select(${literal(LEAST_KEY)}, x[${index}], x[${index}] > ${literal(LEAST_KEY)})`;

export function topKPasses(
  lowering: Lowering,
  x: Typed,
  { values, indices }: { readonly values: Typed; readonly indices: Typed },
  { k, groups, keep }: TopK,
): void {
  const { shape } = x.type;
  const width = innerOf(shape);
  const isLimited = keep < groups;
  const open = isLimited ? { open: openGroups(lowering, x, { k, groups, keep }) } : {};
  const isOpen = isLimited ? `open[row * ${groups}u + c / ${width / groups}u] != 0u && ` : '';
  lowering.rows({
    label: 'top_k',
    reads: { x, ...open },
    writes: { values, indices },
    over: shape.slice(0, 1),
    width,
    body: (row) => `let at = row * ${width}u;
var last = infinity();
var last_index = -1;
for (var choice = 0u; choice < ${k}u; choice++) {
  var best = -infinity();
  var best_index = 0;
  ${row.each(
    'c',
    `let key = ${keyText('at + c')};
    let is_left = ${isOpen}(key < last || (key == last && i32(c) > last_index));
    if (is_left && key > best) { best = key; best_index = i32(c); }`,
  )}
  let top = ${row.max('best')};
  let first = -i32(${row.max('select(-infinity(), -f32(best_index), best == top)')});
  ${row.once(`values[row * ${k}u + choice] = x[at + u32(first)];
  indices[row * ${k}u + choice] = first;`)}
  last = top;
  last_index = first;
}`,
  });
}

/** u32 [R, groups]: which may be chosen from. */
function openGroups(lowering: Lowering, x: Typed, { groups, keep }: TopK): Typed {
  const over = [x.type.shape[0], groups];
  const size = innerOf(x.type.shape) / groups;
  const worths = lowering.scratch('f32', over);
  const open = lowering.scratch('u32', over);
  lowering.each({
    label: 'top_k, worths of groups',
    reads: { x },
    writes: { worths },
    over,
    body: `var first = -infinity();
var second = -infinity();
for (var e = i * ${size}u; e < (i + 1u) * ${size}u; e++) {
  let key = ${keyText('e')};
  if (key > first) { second = first; first = key; } else if (key > second) { second = key; }
}
worths[i] = ${size > 1 ? 'first + second' : 'first'};`,
  });
  lowering.each({
    label: 'top_k, open groups',
    reads: { worths },
    writes: { open },
    over,
    body: `let row = i / ${groups}u * ${groups}u;
var rank = 0u;
for (var other = row; other < row + ${groups}u; other++) {
  if (worths[other] > worths[i] || (worths[other] == worths[i] && other < i)) { rank++; }
}
open[i] = select(0u, 1u, rank < ${keep}u);`,
  });
  return open;
}
