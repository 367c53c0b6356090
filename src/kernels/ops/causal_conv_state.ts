/**
 * The state of a causal convolution after a sequence: the k−1 rows before the next token, of the state before and of x, oldest
 * first. Rows before the beginning of the last token's sample are zero, so that what comes next does not see them.
 */
import { i32, type I32 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { floats, ints } from '../dtype.ts';
import type { Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import type { Operand } from '../type.ts';
import { zeroPass } from '../webgpu/wgsl/copies.ts';
import { given } from './given.ts';

interface Attributes {
  readonly hasBegins: boolean;
}

const op = defineOp<Attributes>({
  name: 'causal_conv_state',
  infer: ([, state]) => [state],
  reference: ([x, state, begins], [y]) => {
    const [from, before, to] = [x, state, y].map(({ data }) => floats('causal_conv_state', data));
    eachRow(x, state, begins, (at, atX, atState) => {
      to[at] = atX !== null ? from[atX] : atState !== null ? before[atState] : 0;
    });
  },
  wasm: (kernel, [x, state, ...rest], [y]) =>
    emitRows(kernel, x, state, rest, (source, from, at, isSeen) => {
      const value = source === 'x' ? kernel.load(x, from) : kernel.load(state, from);
      kernel.store(y, kernel.f.constant(0), at);
      kernel.fn.if(isSeen, () => kernel.store(y, value, at));
    }),
  wgsl: (lowering, [x, state, ...rest], [y], { hasBegins }) => {
    const [begins] = given(rest, 0, [hasBegins]);
    lowering.each({
      label: 'causal_conv_state',
      reads: { x, state, ...(begins && { begins }) },
      writes: { y },
      over: y.type.shape,
      body: `${rowText(x, state, hasBegins)}
if (!is_seen) { y[i] = 0f; }
else if (token < 0) { y[i] = state[at_state]; }
else { y[i] = x[at_x]; }`,
    });
  },
  gradient: ({ inputs: [x, state, begins], cotangents: [c] }, { hasBegins }) =>
    c === null ? [] : gradient(hasBegins ? [c, x, state, begins] : [c, x, state], { hasBegins }),
});

const gradient = defineOp<Attributes>({
  name: 'causal_conv_state_gradient',
  infer: ([, x, state]) => [x, state],
  reference: ([c, x, state, begins], [dx, dState]) => {
    const [from, ofX, ofState] = [c, dx, dState].map(({ data }) => floats('causal_conv_state_gradient', data));
    ofX.fill(0);
    ofState.fill(0);
    eachRow(x, state, begins, (at, atX, atState) => {
      if (atX !== null) ofX[atX] = from[at];
      else if (atState !== null) ofState[atState] = from[at];
    });
  },
  wasm: (kernel, [c, x, state, ...rest], [dx, dState]) => {
    if (![dx, dState].every(({ type }) => kernel.takes(type.shape))) return false;
    for (const sums of [dx, dState]) kernel.fill(sums, 0);
    return emitRows(kernel, x, state, rest, (source, from, at, isSeen) => {
      const value = kernel.load(c, at);
      kernel.fn.if(isSeen, () => kernel.store(source === 'x' ? dx : dState, value, from));
    });
  },
  wgsl: (lowering, [c, x, state, ...rest], [dx, dState], { hasBegins }) => {
    const [begins] = given(rest, 0, [hasBegins]);
    zeroPass(lowering, 'causal_conv_state_gradient, zeros', dx);
    zeroPass(lowering, 'causal_conv_state_gradient, zeros', dState);
    lowering.each({
      label: 'causal_conv_state_gradient',
      reads: { c, ...(begins && { begins }) },
      writes: { dx, d_state: dState },
      over: c.type.shape,
      body: `${rowText(x, state, hasBegins)}
if (!is_seen) { return; }
if (token < 0) { d_state[at_state] = c[i]; } else { dx[at_x] = c[i]; }`,
    });
  },
});

/** x [B, T, C], state [B, k−1, C], begins i32 of B · T or none → [B, k−1, C]. */
export function convState(x: Value, state: Value, begins: Value | undefined): Value {
  const hasBegins = begins !== undefined;
  return op(hasBegins ? [x, state, begins] : [x, state], { hasBegins })[0];
}

/** For each element of the state after: where it lies, and where in x or in the state before it is from; nowhere: unseen. */
function eachRow(
  x: Operand,
  state: Operand,
  begins: Operand | undefined,
  body: (at: number, atX: number | null, atState: number | null) => void,
): void {
  const [batch, tokens, channels] = x.shape;
  const [, rows] = state.shape;
  for (let s = 0; s < batch; s++) {
    const begin = begins === undefined ? -1 : ints('causal_conv_state', begins.data)[(s + 1) * tokens - 1];
    for (let row = 0; row < rows; row++) {
      const token = tokens - rows + row;
      const isSeen = begin < 0 || token >= begin;
      for (let c = 0; c < channels; c++) {
        const atX = isSeen && token >= 0 ? (s * tokens + token) * channels + c : null;
        const atState = isSeen && token < 0 ? (s * rows + tokens + row) * channels + c : null;
        body((s * rows + row) * channels + c, atX, atState);
      }
    }
  }
}

/** The same in generated code, four channels at a time: `from` is a byte of `source`, and `at` one of the state after. */
function emitRows(
  kernel: Kernel,
  x: WasmOperand,
  state: WasmOperand,
  [begins]: readonly (WasmOperand | undefined)[],
  body: (source: 'x' | 'state', from: I32, at: I32, isSeen: I32) => void,
): boolean {
  const { fn } = kernel;
  const [tokens, channels] = x.type.shape.slice(1).map(Number);
  const rows = Number(state.type.shape[1]);
  if (!kernel.takes([channels])) return false;
  const rowBytes = 4 * channels;
  fn.loop(i32.const(0), kernel.size(x.type.shape[0]), 1, (sequence) => {
    const last = i32.add(i32.mul(sequence, i32.const(tokens)), i32.const(tokens - 1));
    const begin = begins === undefined ? i32.const(-1) : kernel.integer(begins, last);
    for (let row = 0; row < rows; row++) {
      const token = tokens - rows + row;
      // A begin of −1 is before all rows of a state.
      const isSeen = token < 0 ? i32.ltS(begin, i32.const(0)) : i32.geS(i32.const(token), begin);
      const [source, every, own] =
        token < 0 ? (['state', rows, tokens + row] as const) : (['x', tokens, token] as const);
      const from = fn.let(i32.mul(i32.add(i32.mul(sequence, i32.const(every)), i32.const(own)), i32.const(rowBytes)));
      const at = fn.let(i32.mul(i32.add(i32.mul(sequence, i32.const(rows)), i32.const(row)), i32.const(rowBytes)));
      fn.loop(i32.const(0), i32.const(rowBytes), 16, (column) =>
        body(source, kernel.in(from, column), kernel.in(at, column), isSeen),
      );
    }
  });
  return true;
}

/** The same in WGSL for element i of the state after: `is_seen`, its `token`, and `at_x` or `at_state`. */
function rowText(x: Value, state: Value, hasBegins: boolean): string {
  const [tokens, channels] = x.type.shape.slice(1).map(Number);
  const rows = Number(state.type.shape[1]);
  const begin = hasBegins ? `begins[sequence * ${tokens}u + ${tokens - 1}u]` : '-1';
  return `let sequence = i / ${rows * channels}u;
let row = i / ${channels}u % ${rows}u;
let token = i32(row) + ${tokens - rows};
let begin = ${begin};
let is_seen = begin < 0 || token >= begin;
let at_x = (sequence * ${tokens}u + u32(max(token, 0))) * ${channels}u + i % ${channels}u;
let at_state = (sequence * ${rows}u + min(row + ${tokens}u, ${rows - 1}u)) * ${channels}u + i % ${channels}u;`;
}
