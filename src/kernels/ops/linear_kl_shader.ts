/**
 * The divergence of two linear heads on the WebGPU device: chunk by chunk, the logits of both heads for one chunk in scratch. The
 * gradient makes them again, and turns the student's into their own gradient in place.
 */
import type { Value } from '../graph.ts';
import type { Lowering } from '../webgpu/lowering.ts';
import { literal } from '../webgpu/wgsl/arithmetic.ts';
import { zeroPass } from '../webgpu/wgsl/copies.ts';
import type { KlAttributes } from './linear_kl_logits.ts';
import { chunksOf, headGradientPasses, logitsOf, logitsPass } from './linear_head_logits.ts';

export function klStatisticsPasses(
  lowering: Lowering,
  [x, w, xT, wT]: readonly Value[],
  [max, sum, maxT, sumT, gap]: readonly Value[],
  { temperature }: Pick<KlAttributes, 'temperature'>,
): void {
  const label = 'linear_kl';
  const vocabulary = Number(w.type.shape[0]);
  const chunks = chunksOf(x);
  const [student, teacher] = [x, xT].map(() => logitsOf(lowering, chunks, vocabulary));
  const scale = 1 / temperature;
  for (const chunk of chunks) {
    logitsPass(lowering, { label, x, w, logits: student, scale }, chunk);
    logitsPass(lowering, { label, x: xT, w: wT, logits: teacher, scale }, chunk);
    lowering.rows({
      label: 'linear_kl, statistics',
      reads: { student, teacher },
      writes: { tops: max, sums: sum, teacher_tops: maxT, teacher_sums: sumT, gaps: gap },
      over: [chunk.rows],
      width: vocabulary,
      body: (row) => `let at = row * ${vocabulary}u;
var largest = student[at];
var teacher_largest = teacher[at];
${row.each('c', 'largest = max(largest, student[at + c]); teacher_largest = max(teacher_largest, teacher[at + c]);')}
let top = ${row.max('largest')};
let teacher_top = ${row.max('teacher_largest')};
var part = 0f;
var teacher_part = 0f;
var gap_part = 0f;
${row.each(
  'c',
  `let below = teacher[at + c] - teacher_top;
let e = exp(below);
part += exp(student[at + c] - top);
teacher_part += e;
gap_part += e * (below - (student[at + c] - top));`,
)}
let total = ${row.sum('part')};
let teacher_total = ${row.sum('teacher_part')};
let gap = ${row.sum('gap_part')};
${row.once(`let r = row + ${chunk.first}u;
tops[r] = top;
sums[r] = total;
teacher_tops[r] = teacher_top;
teacher_sums[r] = teacher_total;
gaps[r] = gap;`)}`,
    });
  }
}

export function klLossesPass(
  lowering: Lowering,
  [, , , , , sum, , sumT, gap, targets]: readonly Value[],
  [losses]: readonly Value[],
  { hasTargets }: KlAttributes,
): void {
  const loss = 'gaps[i] / teacher_sums[i] + (log(sums[i]) - log(teacher_sums[i]))';
  lowering.each({
    label: 'linear_kl',
    reads: { sums: sum, teacher_sums: sumT, gaps: gap, ...(hasTargets && { targets }) },
    writes: { losses },
    over: losses.type.shape,
    body: `losses[i] = ${hasTargets ? `select(${loss}, 0f, targets[i] < 0)` : loss};`,
  });
}

export function klGradientPasses(
  lowering: Lowering,
  [x, w, xT, wT, max, sum, maxT, sumT, dLosses, targets]: readonly Value[],
  [dx, dw]: readonly Value[],
  { temperature, hasTargets }: KlAttributes,
): void {
  const label = 'linear_kl_gradient';
  const vocabulary = Number(w.type.shape[0]);
  const chunks = chunksOf(x);
  const [student, teacher] = [x, xT].map(() => logitsOf(lowering, chunks, vocabulary));
  const weights = lowering.scratch('f32', max.type.shape);
  const scale = 1 / temperature;
  if (chunks.length === 0) zeroPass(lowering, `${label}, zeros`, dw);
  // A pass has eight buffers where an adapter has no more.
  lowering.each({
    label: `${label}, weights of rows`,
    reads: { d_losses: dLosses, ...(hasTargets && { targets }) },
    writes: { weights },
    over: dLosses.type.shape,
    body: `weights[i] = ${hasTargets ? 'select(d_losses[i], 0f, targets[i] < 0)' : 'd_losses[i]'} / ${literal(temperature)};`,
  });
  for (const chunk of chunks) {
    logitsPass(lowering, { label, x, w, logits: student, scale }, chunk);
    logitsPass(lowering, { label, x: xT, w: wT, logits: teacher, scale }, chunk);
    lowering.each({
      label: `${label}, logits`,
      reads: { tops: max, sums: sum, teacher_tops: maxT, teacher_sums: sumT, weights, teacher },
      writes: { student },
      over: [chunk.rows, vocabulary],
      body: `let r = i / ${vocabulary}u + ${chunk.first}u;
let p = exp(student[i] - tops[r]) / sums[r];
let teacher_p = exp(teacher[i] - teacher_tops[r]) / teacher_sums[r];
student[i] = weights[r] * (p - teacher_p);`,
    });
    headGradientPasses(lowering, { label, x, w, g: student, dx, dw }, chunk);
  }
}
