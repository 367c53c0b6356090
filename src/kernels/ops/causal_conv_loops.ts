/** The loops of the generated code of the causal convolution and of its gradient: four channels of a sequence at a time. */
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import type { Shape } from '../shape.ts';

/** Four channels of a sequence. */
interface Channels {
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
      body({ taps, tapsAt, tapBytes, column, first: fn.let(i32.add(start, column)) });
    });
  });
  return true;
}
