/** The causal convolution on the WebGPU device, element by element, and the sums of its gradient over all tokens. */
import type { Value } from '../graph.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { columnSums } from '../webgpu/wgsl/column_sums.ts';

export function convPass(lowering: Lowering, [x, w, b]: readonly Value[], [y]: readonly Value[]): void {
  const [tokens, channels] = x.type.shape.slice(1).map(Number);
  const taps = innerOf(w.type.shape);
  lowering.each({
    label: 'causal_conv',
    reads: { x, w, b },
    writes: { y },
    over: x.type.shape,
    body: `let channel = i % ${channels}u;
let t = i / ${channels}u % ${tokens}u;
var sum = b[channel];
for (var j = 0u; j < ${taps}u; j++) {
  let back = ${taps - 1}u - j;
  if (back <= t) { sum += w[channel * ${taps}u + j] * x[i - back * ${channels}u]; }
}
y[i] = sum;`,
  });
}

export function convGradientPasses(
  lowering: Lowering,
  [dy, x, w]: readonly Value[],
  [dx, dw, db]: readonly Value[],
): void {
  const [tokens, channels] = x.type.shape.slice(1).map(Number);
  const taps = innerOf(w.type.shape);
  lowering.each({
    label: 'causal_conv_gradient',
    reads: { dy, w },
    writes: { dx },
    over: x.type.shape,
    body: `let channel = i % ${channels}u;
let t = i / ${channels}u % ${tokens}u;
var sum = 0f;
for (var ahead = 0u; ahead < ${taps}u; ahead++) {
  if (t + ahead < ${tokens}u) { sum += w[channel * ${taps}u + ${taps - 1}u - ahead] * dy[i + ahead * ${channels}u]; }
}
dx[i] = sum;`,
  });
  const rows = x.type.shape.slice(0, 2);
  columnSums(lowering, {
    label: 'causal_conv_gradient, taps',
    reads: { dy, x },
    rows,
    columns: channels * taps,
    term: 'term(r, c)',
    declarations: `fn term(r: u32, c: u32) -> f32 {
  let ahead = ${taps - 1}u - c % ${taps}u;
  if (r % ${tokens}u + ahead >= ${tokens}u) { return 0f; }
  let at = r * ${channels}u + c / ${taps}u;
  return dy[at + ahead * ${channels}u] * x[at];
}`,
    out: dw,
  });
  columnSums(lowering, {
    label: 'causal_conv_gradient, shift',
    reads: { dy },
    rows,
    columns: channels,
    term: `dy[r * ${channels}u + c]`,
    out: db,
  });
}
