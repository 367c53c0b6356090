/**
 * Interruptible tensors end where a signal is aborted, between two parts: copying a model takes minutes, and whoever asked for it may
 * have thought better of it.
 */
import type { TensorParts } from '../checkpoints/index.ts';

/** Throws the signal's reason once it is aborted. */
export async function* interruptible(
  tensors: AsyncIterable<TensorParts>,
  signal: AbortSignal,
): AsyncGenerator<TensorParts, void, void> {
  for await (const tensor of tensors) {
    yield { ...tensor, parts: partsUntil(tensor.parts, signal) };
  }
}

async function* partsUntil(
  parts: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const part of parts) {
    signal.throwIfAborted();
    yield part;
  }
}
