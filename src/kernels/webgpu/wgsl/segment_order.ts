/**
 * Which rows belong to which segment, by counting: for segment s, `order` holds from `starts[s]` to before `starts[s + 1]`
 * the rows r with index[r] = s, from the first to the last. Rows are counted in blocks, a row finds its place by looking at
 * its own block; nothing depends on which invocation comes first. Index −1 is nobody's.
 */
import type { Typed } from '../../type.ts';
import { maxElements, type Dim, type Shape } from '../../shape.ts';
import type { Lowering } from '../lowering.ts';
import { sizeText } from '../pass.ts';

const BLOCK = 128;
/** Invocations of the one workgroup that adds up the segments. */
const SCANNERS = 256;

export interface SegmentOrder {
  /** u32 [segments + 1]. */
  readonly starts: Typed;
  /** u32, one for each row. */
  readonly order: Typed;
}

/** `index` i32, of shape `rows`. */
export function segmentOrder(
  lowering: Lowering,
  label: string,
  index: Typed,
  rows: Shape,
  segments: Dim,
): SegmentOrder {
  const most = typeof segments === 'number' ? segments : segments.max;
  const blocks = Math.max(1, Math.ceil(maxElements(rows) / BLOCK));
  // Before[b, s]: rows of s in the blocks before b.
  const before = lowering.scratch('u32', [blocks, most]);
  const starts = lowering.scratch('u32', [most + 1]);
  const order = lowering.scratch('u32', [Math.max(1, maxElements(rows))]);
  const count = sizeText(segments);
  lowering.each({
    label: `${label}, nothing counted`,
    reads: {},
    writes: { before },
    over: [blocks, most],
    body: 'before[i] = 0u;',
  });
  lowering.each({
    label: `${label}, count`,
    reads: { index },
    writes: { before },
    elements: { before: 'atomic<u32>' },
    over: rows,
    canRefuse: true,
    body: `let s = index[i];
if (s < -1 || s >= i32(${count})) { refuse(1u); return; }
if (s >= 0) { atomicAdd(&before[i / ${BLOCK}u * ${most}u + u32(s)], 1u); }`,
  });
  lowering.each({
    label: `${label}, add blocks`,
    reads: {},
    writes: { before, starts },
    over: [segments],
    body: `var sum = 0u;
for (var b = 0u; b < ${blocks}u; b++) {
  let at = b * ${most}u + i;
  let own = before[at];
  before[at] = sum;
  sum += own;
}
starts[i] = sum;`,
  });
  lowering.pass(
    {
      label: `${label}, add segments`,
      reads: {},
      writes: { starts },
      declarations: `var<workgroup> sums: array<u32, ${SCANNERS}>;`,
      body: `if (block > 0u) { return; }
let each = (${count} + ${SCANNERS - 1}u) / ${SCANNERS}u;
let first = min(lane * each, ${count});
let end = min(first + each, ${count});
var own = 0u;
for (var s = first; s < end; s++) { own += starts[s]; }
sums[lane] = own;
workgroupBarrier();
var sum = 0u;
for (var l = 0u; l < lane; l++) { sum += sums[l]; }
for (var s = first; s < end; s++) { let members = starts[s]; starts[s] = sum; sum += members; }
if (lane == ${SCANNERS - 1}u) { starts[${count}] = sum; }`,
    },
    { workgroupSize: SCANNERS, workgroups: () => 1 },
  );
  lowering.each({
    label: `${label}, place`,
    reads: { index, before, starts },
    writes: { order },
    over: rows,
    body: `let s = index[i];
if (s < 0 || s >= i32(${count})) { return; }
let block_first = i / ${BLOCK}u * ${BLOCK}u;
var place = starts[s] + before[i / ${BLOCK}u * ${most}u + u32(s)];
for (var r = block_first; r < i; r++) { place += select(0u, 1u, index[r] == s); }
order[place] = i;`,
  });
  return { starts, order };
}
