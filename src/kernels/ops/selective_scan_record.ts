/**
 * What is small of the scan's operands in one buffer, on the WebGPU device: a pass has eight buffers where an adapter has no more,
 * and the scan and its gradient have more operands and results. So there is a record for each sequence, of a, d, b and c, of the
 * state that is given, and whether a sample begins at a token. What is of every token and channel is large, and stays where it is.
 */
import type { Value } from '../graph.ts';
import { maxElements } from '../shape.ts';
import type { Typed } from '../type.ts';
import { innerOf, type Lowering, type Named } from '../webgpu/lowering.ts';
import { beginsCheckText } from './sample_begins.ts';

/** Where the parts of a record begin; a lies at 0, and what is not there takes no room. */
export interface RecordPlaces {
  readonly d: number;
  readonly b: number;
  readonly c: number;
  /** [C, N] */
  readonly state: number;
  /** [T] */
  readonly begins: number;
  readonly length: number;
}

interface RecordSizes {
  readonly tokens: number;
  readonly channels: number;
  readonly states: number;
  /** Rows of states that b and c have for each token. */
  readonly groups?: number;
  readonly hasState: boolean;
  readonly hasBegins: boolean;
}

export function recordPlaces(sizes: RecordSizes): RecordPlaces {
  const { tokens, channels, states, groups = 1, hasState, hasBegins } = sizes;
  const d = channels * states;
  const b = d + channels;
  const c = b + tokens * groups * states;
  const state = c + tokens * groups * states;
  const begins = state + (hasState ? channels * states : 0);
  return { d, b, c, state, begins, length: begins + (hasBegins ? tokens : 0) };
}

export interface ScanRecord {
  readonly operands: Typed;
  readonly places: RecordPlaces;
}

interface RecordOperands {
  readonly u: Value;
  readonly a: Value;
  readonly b: Value;
  readonly c: Value;
  readonly d: Value;
  /** [B, C, N]: that before the first token, or the gradient of that after the last. */
  readonly state?: Value | undefined;
  readonly begins?: Value | undefined;
}

/** Makes the records of all sequences. `goesOn`: a sample may have begun before the first token. */
export function recordPass(
  lowering: Lowering,
  label: string,
  { u, a, b, c, d, state, begins }: RecordOperands,
  goesOn: boolean,
): ScanRecord {
  const batch = u.type.shape[0];
  const [tokens, channels] = u.type.shape.slice(1).map(Number);
  const states = innerOf(a.type.shape);
  const has = { hasState: state !== undefined, hasBegins: begins !== undefined };
  const places = recordPlaces({ tokens, channels, states, ...has });
  const operands = lowering.scratch('f32', [maxElements([batch]), places.length]);
  const reads: Named = { a, b, c, d, ...(state && { state }), ...(begins && { begins }) };
  const ofState = `else if (at < ${places.begins}u) {
  operands[i] = state[sequence * ${channels * states}u + at - ${places.state}u];
}`;
  const ofBegins = `else {
  let t = at - ${places.begins}u;
  let row = sequence * ${tokens}u + t;
  ${beginsCheckText(goesOn)}
  operands[i] = select(0f, 1f, begins[row] == i32(t));
}`;
  lowering.each({
    label: `${label}, operands`,
    reads,
    writes: { operands },
    over: [batch, places.length],
    canRefuse: begins !== undefined,
    body: `let sequence = i / ${places.length}u;
let at = i % ${places.length}u;
let first = sequence * ${tokens * states}u;
if (at < ${places.d}u) { operands[i] = a[at]; }
else if (at < ${places.b}u) { operands[i] = d[at - ${places.d}u]; }
else if (at < ${places.c}u) { operands[i] = b[first + at - ${places.b}u]; }
else if (at < ${places.state}u) { operands[i] = c[first + at - ${places.c}u]; }
${[...(state ? [ofState] : []), ...(begins ? [ofBegins] : [])].join('\n')}`,
  });
  return { operands, places };
}
