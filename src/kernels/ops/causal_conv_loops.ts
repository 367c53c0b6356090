/** What the causal convolution and its gradient share: which rows a token sees, and the loops of their generated code. */
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import type { Shape } from '../shape.ts';

/** Which operands the convolution has beside its three. */
export interface ConvAttributes {
  readonly hasState: boolean;
  readonly hasBegins: boolean;
}

/** Of generated code: four channels of a sequence. */
interface Channels {
  readonly sequence: I32;
  /** w_0 … w_{k−1} of each. */
  readonly taps: readonly V128[];
  /** Byte of their taps in [C, k], of which each channel has `tapBytes`. */
  readonly tapsAt: I32;
  readonly tapBytes: number;
  /** Byte of them in [C]. */
  readonly column: I32;
  /** Byte of their first token in [B, T, C]. */
  readonly first: I32;
}

/** Emits `body` for x [B, T, C] and w [C, k]. Returns false where channels are no whole vectors. */
export function overChannels(
  kernel: Kernel,
  [batch, tokens, channels]: Shape,
  w: WasmOperand,
  body: (channels: Channels) => void,
): boolean {
  const { fn } = kernel;
  if (!kernel.takes([channels])) return false;
  const rowBytes = 4 * Number(channels);
  const tapBytes = 4 * Number(w.type.shape[1]);
  fn.loop(i32.const(0), kernel.size(batch), 1, (sequence) => {
    const start = fn.let(i32.mul(sequence, i32.const(Number(tokens) * rowBytes)));
    fn.loop(i32.const(0), i32.const(rowBytes), 16, (column) => {
      const tapsAt = fn.let(i32.mul(column, i32.const(tapBytes / 4)));
      const taps = Array.from({ length: tapBytes / 4 }, (_, j) => kernel.loadStrided(w, tapsAt, tapBytes, 4 * j));
      body({ sequence, taps, tapsAt, tapBytes, column, first: fn.let(i32.add(start, column)) });
    });
  });
  return true;
}

/** The row of token `t` of `sequence` among all. */
export const tokenRow = (sequence: I32, tokens: number, t: I32): I32 =>
  i32.add(i32.mul(sequence, i32.const(tokens)), t);

/** Byte `column` of the first row of a sequence in [B, k−1, C]. */
export const stateAt = (kernel: Kernel, { sequence, column }: Channels, rows: number, channels: number): I32 =>
  kernel.in(column, i32.mul(sequence, i32.const(4 * rows * channels)));
