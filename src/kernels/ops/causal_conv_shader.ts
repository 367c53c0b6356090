/** The causal convolution on the WebGPU device, element by element, and the sums of its gradient over all tokens. */
import type { Value } from '../graph.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { columnSums } from '../webgpu/wgsl/column_sums.ts';
import type { ConvAttributes } from './causal_conv_loops.ts';
import { given } from './given.ts';
import { beginsCheckText } from './sample_begins.ts';

/** Whether the token of row `row` sees `token`, if there are samples. */
const isSeen = (hasBegins: boolean, row: string, token: string): string =>
  hasBegins ? `(begins[${row}] < 0 || ${token} >= begins[${row}])` : 'true';

export function convPass(
  lowering: Lowering,
  [x, w, b, ...rest]: readonly Value[],
  [y]: readonly Value[],
  { hasState, hasBegins }: ConvAttributes,
): void {
  const [tokens, channels] = x.type.shape.slice(1).map(Number);
  const taps = innerOf(w.type.shape);
  const [state, begins] = given(rest, 0, [hasState, hasBegins]);
  const ofState = `else if (${isSeen(hasBegins, 'row', '-1')}) {
    sum += tap * state[(row / ${tokens}u * ${taps - 1}u + t + j) * ${channels}u + channel];
  }`;
  lowering.each({
    label: 'causal_conv',
    reads: { x, w, b, ...(state && { state }), ...(begins && { begins }) },
    writes: { y },
    over: x.type.shape,
    canRefuse: hasBegins,
    body: `let channel = i % ${channels}u;
let row = i / ${channels}u;
let t = row % ${tokens}u;
${hasBegins ? beginsCheckText(hasState) : ''}
var sum = b[channel];
for (var j = 0u; j < ${taps}u; j++) {
  let back = ${taps - 1}u - j;
  let tap = w[channel * ${taps}u + j];
  if (back <= t) {
    if (${isSeen(hasBegins, 'row', 'i32(t - back)')}) { sum += tap * x[i - back * ${channels}u]; }
  } ${hasState ? ofState : ''}
}
y[i] = sum;`,
  });
}

export function convGradientPasses(
  lowering: Lowering,
  [dy, x, w, , ...rest]: readonly Value[],
  [dx, dw, db, dState]: readonly Value[],
  { hasState, hasBegins }: ConvAttributes,
): void {
  const [tokens, channels] = x.type.shape.slice(1).map(Number);
  const taps = innerOf(w.type.shape);
  const [state, begins] = given(rest, 0, [hasState, hasBegins]);
  const reads = { dy, w, ...(begins && { begins }) };
  lowering.each({
    label: 'causal_conv_gradient',
    reads,
    writes: { dx },
    over: x.type.shape,
    body: `let channel = i % ${channels}u;
let row = i / ${channels}u;
let t = row % ${tokens}u;
var sum = 0f;
for (var ahead = 0u; ahead < ${taps}u; ahead++) {
  if (t + ahead >= ${tokens}u) { break; }
  if (${isSeen(hasBegins, 'row + ahead', 'i32(t)')}) {
    sum += w[channel * ${taps}u + ${taps - 1}u - ahead] * dy[i + ahead * ${channels}u];
  }
}
dx[i] = sum;`,
  });
  const rows = x.type.shape.slice(0, 2);
  // The rows of a state are those before the first token.
  const lead = hasState ? taps - 1 : 0;
  const ofState = `if (place < ${lead}u) { return cotangent * state[(sequence * ${lead}u + place) * ${channels}u + channel]; }`;
  columnSums(lowering, {
    label: 'causal_conv_gradient, taps',
    reads: { dy, x, ...(state && { state }), ...(begins && { begins }) },
    rows: [rows[0], tokens + lead],
    columns: channels * taps,
    term: 'term(r, c)',
    declarations: `fn term(r: u32, c: u32) -> f32 {
  let sequence = r / ${tokens + lead}u;
  let place = r % ${tokens + lead}u;
  let channel = c / ${taps}u;
  let later = place + ${taps - 1}u - c % ${taps}u;
  if (later < ${lead}u || later >= ${tokens + lead}u) { return 0f; }
  let row = sequence * ${tokens}u + later - ${lead}u;
  if (!${isSeen(hasBegins, 'row', `i32(place) - ${lead}`)}) { return 0f; }
  let cotangent = dy[row * ${channels}u + channel];
  ${hasState ? ofState : ''}
  return cotangent * x[(sequence * ${tokens}u + place - ${lead}u) * ${channels}u + channel];
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
  if (!hasState || lead === 0) return;
  lowering.each({
    label: 'causal_conv_gradient, state',
    reads,
    writes: { d_state: dState },
    over: dState.type.shape,
    body: `let channel = i % ${channels}u;
let place = i / ${channels}u % ${lead}u;
let first = i / ${lead * channels}u * ${tokens}u;
var sum = 0f;
for (var ahead = ${lead}u - place; ahead < ${taps}u; ahead++) {
  let row = first + place + ahead - ${lead}u;
  if (place + ahead - ${lead}u >= ${tokens}u) { break; }
  if (${isSeen(hasBegins, 'row', '-1')}) {
    sum += w[channel * ${taps}u + ${taps - 1}u - ahead] * dy[row * ${channels}u + channel];
  }
}
d_state[i] = sum;`,
  });
}
