/**
 * The gradient of the selective scan on the WebGPU device: one invocation a channel of a sequence. The gradients of b and c sum
 * over channels: a workgroup has 64 of them, folds theirs token by token, and a second pass adds up workgroups. Parts of what is
 * small lie together in a record for each sequence, as its operands do.
 */
import type { Value } from '../graph.ts';
import { maxElements } from '../shape.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { countOf, sizeText } from '../webgpu/pass.ts';
import { given } from './given.ts';
import { SCAN_CHUNK, type ScanGradientAttributes } from './selective_scan_loops.ts';
import { recordPass, recordPlaces } from './selective_scan_record.ts';

const CHANNELS = 64;

/** Where line `s` of shares has that of invocation `l`: a step further in each, so that neighbours read different banks. */
const turned = (s: string, l: string): string => `(${s} + ${l}) % ${CHANNELS}u`;

export function scanGradientPasses(
  lowering: Lowering,
  [u, delta, a, b, c, d, kept, ...rest]: readonly Value[],
  [du, dDelta, da, db, dc, dd, , dState]: readonly Value[],
  { hasState, hasBegins, hasDy, hasDLast }: ScanGradientAttributes,
): void {
  const label = 'selective_scan_gradient';
  const batch = u.type.shape[0];
  const [tokens, channels] = u.type.shape.slice(1).map(Number);
  const states = innerOf(a.type.shape);
  const chunks = Number(kept.type.shape[1]);
  const groups = Math.ceil(channels / CHANNELS);
  const [dy, dLast, begins] = given(rest, 0, [hasDy, hasDLast, hasBegins]);
  const { operands, places: own } = recordPass(lowering, label, { u, a, b, c, d, state: dLast, begins }, hasState);
  const part = recordPlaces({ tokens, channels, states, groups, hasState, hasBegins: false });
  const parts = lowering.scratch('f32', [maxElements([batch]), part.length]);
  const isBegin = `operands[sequence * ${own.length}u + ${own.begins}u + t] > 0f`;
  const clear = (vectors: string): string =>
    hasBegins ? `if (${isBegin}) { ${vectors} = array<f32, ${states}>(); }` : '';
  const ofLast = `for (var n = 0u; n < ${states}u; n++) {
  dh[n] = operands[a + ${own.state}u + n];
}`;
  const ofState = `for (var n = 0u; n < ${states}u; n++) {
    parts[record + ${part.state}u + channel * ${states}u + n] = dh[n];
  }`;
  lowering.pass(
    {
      label,
      reads: { u, delta, operands, kept, ...(dy && { dy }) },
      writes: { du, d_delta: dDelta, parts },
      declarations: `var<workgroup> shares: array<f32, ${2 * states * CHANNELS}>;`,
      body: `let sequence = block / ${groups}u;
let group_of = block % ${groups}u;
if (sequence >= ${sizeText(batch)}) { return; }
let is_there = group_of * ${CHANNELS}u + lane < ${channels}u;
let channel = min(group_of * ${CHANNELS}u + lane, ${channels - 1}u);
let a = sequence * ${own.length}u + channel * ${states}u;
let b = sequence * ${own.length}u + ${own.b}u;
let c = sequence * ${own.length}u + ${own.c}u;
let skip = operands[sequence * ${own.length}u + ${own.d}u + channel];
var dh = array<f32, ${states}>();
${dLast ? ofLast : ''}
var da_sum = array<f32, ${states}>();
var dd_sum = 0f;
for (var back = 0u; back < ${chunks}u; back++) {
  let chunk = ${chunks - 1}u - back;
  let first = chunk * ${SCAN_CHUNK}u;
  let end = min(first + ${SCAN_CHUNK}u, ${tokens}u);
  let place = ((sequence * ${chunks}u + chunk) * ${channels}u + channel) * ${states}u;
  var h = array<f32, ${states}>();
  var before = array<f32, ${SCAN_CHUNK * states}>();
  for (var n = 0u; n < ${states}u; n++) { h[n] = kept[place + n]; }
  for (var t = first; t < end; t++) {
    let at = (sequence * ${tokens}u + t) * ${channels}u + channel;
    ${clear('h')}
    for (var n = 0u; n < ${states}u; n++) {
      before[(t - first) * ${states}u + n] = h[n];
      h[n] = exp(delta[at] * operands[a + n]) * h[n] + delta[at] * u[at] * operands[b + t * ${states}u + n];
    }
  }
  for (var left = end - first; left > 0u; left--) {
    let t = first + left - 1u;
    let at = (sequence * ${tokens}u + t) * ${channels}u + channel;
    let step = delta[at];
    let input = u[at];
    let cotangent = ${dy ? 'dy[at]' : '0f'};
    var du_sum = 0f;
    var step_sum = 0f;
    for (var n = 0u; n < ${states}u; n++) {
      let own = operands[a + n];
      let gain = operands[b + t * ${states}u + n];
      let rate = exp(step * own);
      let total = dh[n] + operands[c + t * ${states}u + n] * cotangent;
      let decayed = rate * before[(t - first) * ${states}u + n];
      let pull = total * decayed;
      shares[n * ${CHANNELS}u + ${turned('n', 'lane')}] = select(0f, total * step * input, is_there);
      shares[(${states}u + n) * ${CHANNELS}u + ${turned(`${states}u + n`, 'lane')}] =
        select(0f, cotangent * (decayed + step * input * gain), is_there);
      da_sum[n] += step * pull;
      step_sum += own * pull + total * input * gain;
      du_sum += total * gain;
      dh[n] = rate * total;
    }
    if (is_there) {
      du[at] = step * du_sum + skip * cotangent;
      d_delta[at] = step_sum;
    }
    dd_sum += cotangent * input;
    ${clear('dh')}
    workgroupBarrier();
    for (var s = lane; s < ${2 * states}u; s += ${CHANNELS}u) {
      var sum = 0f;
      for (var l = 0u; l < ${CHANNELS}u; l++) { sum += shares[s * ${CHANNELS}u + ${turned('s', 'l')}]; }
      let row = (t * ${groups}u + group_of) * ${states}u + s % ${states}u;
      parts[sequence * ${part.length}u + select(${part.c}u, ${part.b}u, s < ${states}u) + row] = sum;
    }
    workgroupBarrier();
  }
}
if (is_there) {
  let record = sequence * ${part.length}u;
  for (var n = 0u; n < ${states}u; n++) { parts[record + channel * ${states}u + n] = da_sum[n]; }
  ${hasState ? ofState : ''}
  parts[record + ${part.d}u + channel] = dd_sum;
}`,
    },
    { workgroupSize: CHANNELS, workgroups: (sizeOf) => countOf([batch], sizeOf) * groups },
  );
  lowering.each({
    label: `${label}, over channels`,
    reads: { parts },
    writes: { db, dc },
    over: b.type.shape,
    body: `let row = i / ${states}u;
let first = row / ${tokens}u * ${part.length}u + row % ${tokens}u * ${groups * states}u + i % ${states}u;
var db_sum = 0f;
var dc_sum = 0f;
for (var g = 0u; g < ${groups}u; g++) {
  db_sum += parts[first + ${part.b}u + g * ${states}u];
  dc_sum += parts[first + ${part.c}u + g * ${states}u];
}
db[i] = db_sum;
dc[i] = dc_sum;`,
  });
  for (const [first, out] of [
    [0, da],
    [part.d, dd],
  ] as const) {
    lowering.each({
      label: `${label}, over sequences`,
      reads: { parts },
      writes: { out },
      over: out.type.shape,
      body: `var sum = 0f;
for (var s = 0u; s < ${sizeText(batch)}; s++) { sum += parts[s * ${part.length}u + ${first}u + i]; }
out[i] = sum;`,
    });
  }
  if (!hasState) return;
  lowering.each({
    label: `${label}, states`,
    reads: { parts },
    writes: { d_state: dState },
    over: dState.type.shape,
    body: `let sequence = i / ${channels * states}u;
d_state[i] = parts[sequence * ${part.length}u + ${part.state}u + i % ${channels * states}u];`,
  });
}
