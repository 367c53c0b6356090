/** What a stage knows of the pass that it is in: which microbatches are under way, and what it has found so far. */
import type { Data } from '../../kernels/dtype.ts';
import { batchStreams } from '../../models/model.ts';
import { dataOf, payload, type Unit } from '../protocol/pass.ts';
import { emptyReport, type Output, type PassReport, type Sum } from '../protocol/report.ts';
import type { Open } from '../protocol/stage.ts';
import { BatchLacks, type Microbatch } from './batch_port.ts';
import type { StageContext } from './stage_context.ts';
import type { StageRun } from './stage_run.ts';

/** A text that is continued: its tokens, padded to the sequence length, and where its last one is. */
export interface Prompt {
  readonly tokens: Int32Array;
  readonly position: number;
}

export interface PassInHand {
  readonly open: Open;
  readonly prompt: Prompt | null;
  /** What the losses of a training step are divided by, where this stage has them; else 0. */
  readonly denominator: number;
  /** Memory for as many microbatches as may be under way at once, and what of it is free. */
  readonly contexts: readonly StageContext[];
  readonly idle: StageContext[];
  /** Microbatches under way, by their index in `open.microbatches`. */
  readonly runs: Map<number, StageRun>;
  begun: number;
  readonly sums: Sum[];
  readonly outputs: Output[];
  isDone: boolean;
}

/** `contexts`: those for passes of its kind. */
export function passInHand(open: Open, contexts: readonly StageContext[], denominator: number): PassInHand {
  const { prompt } = open;
  return {
    open,
    // The message's tensors end with its handler; decoding reads its prompt later.
    prompt: prompt === undefined ? null : { tokens: Int32Array.from(dataOf(prompt.tokens)), position: prompt.position },
    contexts,
    idle: [...contexts],
    denominator,
    runs: new Map(),
    begun: 0,
    sums: [],
    outputs: [],
    isDone: false,
  };
}

/** What was found, by microbatch. */
export const reportOf = ({ sums, outputs }: PassInHand): PassReport => ({
  ...emptyReport,
  sums: sums.toSorted(byMicrobatch),
  outputs: outputs.toSorted(byMicrobatch),
});

export const outputOf = (
  name: string,
  { microbatch }: Unit,
  values: Float32Array,
  shape: readonly number[] = [values.length],
): Output => ({ name, microbatch, tensor: payload(values, shape) });

/** The microbatch of a prompt: what is behind its last token is padding. */
export function promptBatch({ tokens, position }: Prompt): Microbatch {
  const live_R = new Uint8Array(tokens.length).fill(1, 0, position + 1);
  return { tensors: { [batchStreams.tokens]: tokens }, live_R, corpora: null, bytes_R: null };
}

/** The tensors of a microbatch by stream; what only taps read of it, its mask, is made here. Throws `BatchLacks`. */
export function batchTensor({ tensors, live_R }: Microbatch, stream: string, rows: number): Data {
  if (stream === batchStreams.live) return live_R === null ? new Float32Array(rows).fill(1) : Float32Array.from(live_R);
  if (!(stream in tensors)) throw new BatchLacks(stream, tensors);
  return tensors[stream];
}

const byMicrobatch = (a: { readonly microbatch: number }, b: { readonly microbatch: number }): number =>
  a.microbatch - b.microbatch;
