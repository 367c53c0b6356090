/**
 * The text of a fold over a workgroup: a function of what each invocation has, which gives all of them the same number. By
 * subgroups first where the adapter has them, whatever their size is: what is left goes through shared memory at once.
 * Else by halves, with a barrier for each. Both orders are fixed, and differ in the last bits.
 */
export type FoldKind = 'sum' | 'max';

/** One way to fold, as WGSL. */
export interface FoldText {
  /** Shared memory and functions for these kinds, in a workgroup of `size` invocations, a power of 2. */
  readonly declarations: (kinds: readonly FoldKind[], size: number) => string;
  readonly call: (kind: FoldKind, value: string) => string;
  /** WGSL extensions that it is written in. */
  readonly enables: readonly string[];
}

const combined = (kind: FoldKind, a: string, b: string): string => (kind === 'sum' ? `${a} + ${b}` : `max(${a}, ${b})`);

/** A subgroup may have one invocation only, for all that WGSL promises. */
const room = (size: number): string => `var<workgroup> folded: array<f32, ${size}>;`;

const bySubgroups: FoldText = {
  declarations: (kinds, size) => [room(size), ...kinds.map(subgroupFold)].join('\n'),
  call: (kind, value) => `fold_${kind}(${value}, subgroup, subgroup_lane, subgroup_size, subgroups)`,
  enables: ['subgroups'],
};

/** Every subgroup folds what all of them left, so that no second round is needed. */
function subgroupFold(kind: FoldKind): string {
  const within = kind === 'sum' ? 'subgroupAdd' : 'subgroupMax';
  return `fn fold_${kind}(value: f32, subgroup: u32, subgroup_lane: u32, subgroup_size: u32, subgroups: u32) -> f32 {
  let own = ${within}(value);
  if (subgroups == 1u) { return own; }
  workgroupBarrier();
  if (subgroup_lane == 0u) { folded[subgroup] = own; }
  workgroupBarrier();
  var part = ${kind === 'sum' ? '0f' : 'own'};
  for (var s = subgroup_lane; s < subgroups; s += subgroup_size) { part = ${combined(kind, 'part', 'folded[s]')}; }
  return ${within}(part);
}`;
}

const byHalves: FoldText = {
  declarations: (kinds, size) => [room(size), ...kinds.map((kind) => halvesFold(kind, size))].join('\n'),
  call: (kind, value) => `fold_${kind}(${value}, lane)`,
  enables: [],
};

function halvesFold(kind: FoldKind, size: number): string {
  return `fn fold_${kind}(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  folded[lane] = value;
  workgroupBarrier();
  for (var half = ${size / 2}u; half > 0u; half >>= 1u) {
    if (lane < half) { folded[lane] = ${combined(kind, 'folded[lane]', 'folded[lane + half]')}; }
    workgroupBarrier();
  }
  return folded[0];
}`;
}

export const foldText = (features: ReadonlySet<string>): FoldText =>
  features.has('subgroups') ? bySubgroups : byHalves;
