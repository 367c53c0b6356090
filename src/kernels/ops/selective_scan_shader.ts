/** The selective scan on the WebGPU device: one invocation a channel of a sequence, its states in registers. */
import type { Value } from '../graph.ts';
import { innerOf, type Lowering } from '../webgpu/lowering.ts';
import { given } from './given.ts';
import { SCAN_CHUNK, type ScanAttributes } from './selective_scan_loops.ts';
import { recordPass } from './selective_scan_record.ts';

export function scanPass(
  lowering: Lowering,
  [u, delta, a, b, c, d, ...rest]: readonly Value[],
  [y, kept, last]: readonly Value[],
  { hasState, hasBegins }: ScanAttributes,
): void {
  const [tokens, channels] = u.type.shape.slice(1).map(Number);
  const states = innerOf(a.type.shape);
  const chunks = Number(kept.type.shape[1]);
  const [state, begins] = given(rest, 0, [hasState, hasBegins]);
  const { operands, places } = recordPass(lowering, 'selective_scan', { u, a, b, c, d, state, begins }, hasState);
  const eachState = (line: string): string => `for (var n = 0u; n < ${states}u; n++) { ${line} }`;
  const begin = eachState(`h[n] = operands[record + ${places.state}u + channel * ${states}u + n];`);
  const clear = `if (operands[record + ${places.begins}u + t] > 0f) { h = array<f32, ${states}>(); }`;
  lowering.each({
    label: 'selective_scan',
    reads: { u, delta, operands },
    writes: { y, kept, ...(hasState && { last }) },
    over: [u.type.shape[0], channels],
    body: `let sequence = i / ${channels}u;
let channel = i % ${channels}u;
let record = sequence * ${places.length}u;
var h = array<f32, ${states}>();
${hasState ? begin : ''}
for (var t = 0u; t < ${tokens}u; t++) {
  if (t % ${SCAN_CHUNK}u == 0u) {
    let place = ((sequence * ${chunks}u + t / ${SCAN_CHUNK}u) * ${channels}u + channel) * ${states}u;
    ${eachState('kept[place + n] = h[n];')}
  }
  ${hasBegins ? clear : ''}
  let at = (sequence * ${tokens}u + t) * ${channels}u + channel;
  let row = record + t * ${states}u;
  let step = delta[at];
  let input = u[at];
  var sum = 0f;
  for (var n = 0u; n < ${states}u; n++) {
    let own = operands[record + channel * ${states}u + n];
    h[n] = exp(step * own) * h[n] + step * input * operands[row + ${places.b}u + n];
    sum += operands[row + ${places.c}u + n] * h[n];
  }
  y[at] = sum + operands[record + ${places.d}u + channel] * input;
}
${hasState ? eachState(`last[i * ${states}u + n] = h[n];`) : ''}`,
  });
}
