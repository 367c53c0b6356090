/** The rotary position embedding on the WebGPU device: one invocation a pair of channels, or a channel that passes. */
import type { Value } from '../graph.ts';
import type { Lowering } from '../webgpu/lowering.ts';
import { angleTable, type RopeAttributes } from './rope_table.ts';

export function ropePass(
  lowering: Lowering,
  [x, positions]: readonly Value[],
  [y]: readonly Value[],
  { direction, most, ...rotation }: RopeAttributes,
): void {
  const { shape } = x.type;
  const [heads, tokens, channels] = shape.slice(1).map(Number);
  const half = rotation.width / 2;
  const parts = channels - half;
  const isGiven = positions !== undefined;
  const position = `let place = row / ${heads * tokens}u * ${tokens}u + row % ${tokens}u;
if (u32(positions[place]) >= ${most}u) { refuse(1u); return; }
let angle = u32(positions[place]) * ${half}u + pair;`;
  const passes = `if (pair >= ${half}u) { y[at + ${half}u] = x[at + ${half}u]; return; }
`;
  lowering.each({
    label: 'rope',
    reads: { x, table: lowering.table(angleTable(rotation, most)), ...(isGiven ? { positions } : {}) },
    writes: { y },
    over: [...shape.slice(0, 3), parts],
    canRefuse: isGiven,
    body: `let pair = i % ${parts}u;
let row = i / ${parts}u;
${isGiven ? position : `let angle = row % ${tokens}u * ${half}u + pair;`}
let at = row * ${channels}u + pair;
${parts === half ? '' : passes}let cosine = table[angle];
let sine = ${direction === 1 ? '' : '-'}table[angle + ${most * half}u];
let first = x[at];
let second = x[at + ${half}u];
y[at] = first * cosine - second * sine;
y[at + ${half}u] = first * sine + second * cosine;`,
  });
}
