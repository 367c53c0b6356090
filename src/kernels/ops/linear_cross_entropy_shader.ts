/**
 * The linear head's cross-entropy on the WebGPU device: chunk by chunk, the logits of one chunk in scratch. The gradient makes
 * them again, and turns them into their own gradient in place.
 */
import type { Value } from '../graph.ts';
import type { Lowering } from '../webgpu/lowering.ts';
import { zeroPass } from '../webgpu/wgsl/copies.ts';
import { chunksOf, headGradientPasses, logitsOf, logitsPass } from './linear_head_logits.ts';

export function statisticsPasses(
  lowering: Lowering,
  [x, w, targets]: readonly Value[],
  [max, sum, chosen]: readonly Value[],
): void {
  const vocabulary = Number(w.type.shape[0]);
  const chunks = chunksOf(x);
  const logits = logitsOf(lowering, chunks, vocabulary);
  for (const chunk of chunks) {
    logitsPass(lowering, { label: 'linear_cross_entropy', x, w, logits }, chunk);
    lowering.rows({
      label: 'linear_cross_entropy, statistics',
      reads: { logits, targets },
      writes: { tops: max, sums: sum, chosen },
      over: [chunk.rows],
      width: vocabulary,
      body: (row) => `let at = row * ${vocabulary}u;
var largest = logits[at];
${row.each('c', 'largest = max(largest, logits[at + c]);')}
let top = ${row.max('largest')};
var part = 0f;
${row.each('c', 'part += exp(logits[at + c] - top);')}
let total = ${row.sum('part')};
${row.once(`let r = row + ${chunk.first}u;
let token = targets[r];
tops[r] = top;
sums[r] = total;
chosen[r] = logits[at + select(min(u32(token), ${vocabulary - 1}u), ${vocabulary - 1}u, token < 0)];`)}`,
    });
  }
}

export function lossesPass(
  lowering: Lowering,
  [, w, targets, max, sum, chosen]: readonly Value[],
  [losses]: readonly Value[],
): void {
  lowering.each({
    label: 'linear_cross_entropy',
    reads: { targets, tops: max, sums: sum, chosen },
    writes: { losses },
    over: losses.type.shape,
    canRefuse: true,
    body: `let token = targets[i];
if (token < -1 || token >= ${Number(w.type.shape[0])}) { refuse(1u); }
losses[i] = select(log(sums[i]) + (tops[i] - chosen[i]), 0f, token < 0);`,
  });
}

export function gradientPasses(
  lowering: Lowering,
  [x, w, targets, max, sum, dLosses]: readonly Value[],
  [dx, dw]: readonly Value[],
): void {
  const vocabulary = Number(w.type.shape[0]);
  const chunks = chunksOf(x);
  const logits = logitsOf(lowering, chunks, vocabulary);
  if (chunks.length === 0) zeroPass(lowering, 'linear_cross_entropy_gradient, zeros', dw);
  for (const chunk of chunks) {
    const { first, rows } = chunk;
    logitsPass(lowering, { label: 'linear_cross_entropy', x, w, logits }, chunk);
    lowering.each({
      label: 'linear_cross_entropy_gradient, logits',
      reads: { targets, tops: max, sums: sum, d_losses: dLosses },
      writes: { logits },
      over: [rows, vocabulary],
      body: `let r = i / ${vocabulary}u + ${first}u;
let token = targets[r];
let p = exp(logits[i] - tops[r]) / sums[r];
let hit = select(0f, 1f, i32(i % ${vocabulary}u) == token);
logits[i] = select(d_losses[r] * (p - hit), 0f, token < 0);`,
    });
    headGradientPasses(lowering, { label: 'linear_cross_entropy_gradient', x, w, g: logits, dx, dw }, chunk);
  }
}
