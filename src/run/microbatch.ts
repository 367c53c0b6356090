/** Sequences as the tensors of a microbatch: each in its row, what is left of a row padding. */
import type { Microbatch, RowCorpora } from '../actors/stage/batch_port.ts';
import type { DrawnSequence } from '../data/index.ts';
import type { Data } from '../kernels/dtype.ts';
import { batchStreams } from '../models/model.ts';

export interface MicrobatchShape {
  readonly sequences: number;
  /** Tokens of a full sequence. */
  readonly length: number;
}

/** What the sequences of a microbatch are of. */
export interface MicrobatchData {
  /** Of the corpora. */
  readonly names: readonly string[];
  /** Bytes of text by id; null where nobody asks for bits per byte. */
  readonly tokenBytes: Uint32Array | null;
}

/** `drawn` may be fewer than the shape has. */
export function microbatchOf(
  drawn: readonly DrawnSequence[],
  { sequences: B, length: T }: MicrobatchShape,
  { names, tokenBytes }: MicrobatchData,
): Microbatch {
  const tokens_R = new Int32Array(B * T);
  const targets_R = new Int32Array(B * T).fill(-1);
  const live_R = new Uint8Array(B * T);
  // A row of padding sees itself alone.
  const begins_R = Int32Array.from({ length: B * T }, (_, row) => row % T);
  const last_B = Int32Array.from({ length: B }, (_, b) => b * T);
  const of_R = new Uint16Array(B * T);
  for (const [b, { corpus, sequence }] of drawn.entries()) {
    const { tokens, targets, begins } = sequence;
    const at = b * T;
    tokens_R.set(tokens, at);
    targets_R.set(targets, at);
    live_R.fill(1, at, at + tokens.length);
    if (begins === null) begins_R.fill(0, at, at + tokens.length);
    else begins_R.set(begins, at);
    last_B[b] = at + tokens.length - 1;
    of_R.fill(corpus, at, at + T);
  }
  const labels = labelTensors(drawn, B);
  const isOfLabels = Object.keys(labels).length > 0;
  const corpora: RowCorpora | null = names.length > 1 ? { names, of_R } : null;
  return {
    tensors: {
      [batchStreams.tokens]: tokens_R,
      [batchStreams.targets]: targets_R,
      [batchStreams.begins]: begins_R,
      [batchStreams.last]: last_B,
      ...labels,
    },
    live_R: live_R.includes(0) ? live_R : null,
    corpora,
    bytes_R: tokenBytes === null || isOfLabels ? null : bytesOf(targets_R, tokenBytes),
  };
}

/** Bytes of each target's text; 0 where none is to be predicted. */
function bytesOf(targets_R: Int32Array, tokenBytes: Uint32Array): Uint32Array {
  const bytes_R = new Uint32Array(targets_R.length);
  for (let row = 0; row < targets_R.length; row++) {
    if (targets_R[row] >= 0) bytes_R[row] = tokenBytes[targets_R[row]];
  }
  return bytes_R;
}

/** Labels of the sequences, if they have any, and where there are none. */
function labelTensors(drawn: readonly DrawnSequence[], B: number): Record<string, Data> {
  const A = drawn.find(({ sequence }) => sequence.labels !== null)?.sequence.labels?.length ?? 0;
  if (A === 0) return {};
  const labels_BA = new Float32Array(B * A);
  const labelled_BA = new Float32Array(B * A);
  for (const [b, { sequence }] of drawn.entries()) {
    for (const [a, label] of (sequence.labels ?? []).entries()) {
      if (Number.isNaN(label)) continue;
      labels_BA[b * A + a] = label;
      labelled_BA[b * A + a] = 1;
    }
  }
  return { [batchStreams.labels]: labels_BA, [batchStreams.labelled]: labelled_BA };
}
