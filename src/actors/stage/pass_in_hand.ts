/** What a stage knows of the pass that it is in: which microbatches are under way, and what it has found so far. */
import { batchStreams } from '../../models/model.ts';
import { dataOf, payload, type Unit } from '../protocol/pass.ts';
import { emptyReport, type Output, type PassReport, type Sum } from '../protocol/report.ts';
import type { Open } from '../protocol/stage.ts';
import type { Microbatch } from './batch_port.ts';
import type { StageRun } from './stage_run.ts';

/** A text that is continued: its tokens, padded to the sequence length, and where its last one is. */
export interface Prompt {
  readonly tokens: Int32Array;
  readonly position: number;
}

export interface PassInHand {
  readonly open: Open;
  readonly prompt: Prompt | null;
  /** Microbatches under way, by their index in `open.microbatches`. */
  readonly runs: Map<number, StageRun>;
  begun: number;
  readonly sums: Sum[];
  readonly outputs: Output[];
  isDone: boolean;
}

export function passInHand(open: Open): PassInHand {
  const { prompt } = open;
  return {
    open,
    // The message's tensors end with its handler; decoding reads its prompt later.
    prompt: prompt === undefined ? null : { tokens: Int32Array.from(dataOf(prompt.tokens)), position: prompt.position },
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

export const outputOf = (name: string, { microbatch }: Unit, values: Float32Array): Output => ({
  name,
  microbatch,
  tensor: payload(values, [values.length]),
});

/** The microbatch of a prompt: what is behind its last token is padding. */
export function promptBatch({ tokens, position }: Prompt): Microbatch {
  const live_R = new Uint8Array(tokens.length).fill(1, 0, position + 1);
  return { tensors: { [batchStreams.tokens]: tokens }, live_R, corpora: null, bytes_R: null };
}

const byMicrobatch = (a: { readonly microbatch: number }, b: { readonly microbatch: number }): number =>
  a.microbatch - b.microbatch;
