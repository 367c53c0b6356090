/**
 * The score of a sample is the log-probability of its targets, given all that stands before each in the sample. A sample is a
 * sequence of a microbatch; or, where several lie one behind the other in one, those rows that begin at one place of it.
 * Shape suffixes: see `models/model.ts`.
 */
import { batchStreams } from '../models/model.ts';
import type { Microbatch } from '../actors/stage/batch_port.ts';

export interface SampleScore {
  /** Rows of the microbatch: its first, and how many. Padding is no sample's. */
  readonly firstRow: number;
  readonly rows: number;
  /** Rows that have a target; 0 where nothing is asked of the sample. */
  readonly tokens: number;
  /** Σ log-probabilities of these, in nats, in the order of rows. */
  readonly logProb: number;
}

/** logProbs_R: in nats, of each row's target; NaN where it has none. */
export function logProbsOf({ tensors }: Pick<Microbatch, 'tensors'>, losses_R: Float32Array): Float32Array {
  const targets_R = tensors[batchStreams.targets];
  // Not −0 of a loss that is 0.
  return losses_R.map((loss, row) => (targets_R[row] >= 0 ? 0 - loss : NaN));
}

/** The samples of a microbatch of sequences of T tokens, in the order of their rows. */
export function sampleScores(
  { tensors, live_R }: Pick<Microbatch, 'tensors' | 'live_R'>,
  logProbs_R: Float32Array,
  T: number,
): SampleScore[] {
  const begins_R = batchStreams.begins in tensors ? tensors[batchStreams.begins] : null;
  const samples: { firstRow: number; rows: number; tokens: number; logProb: number }[] = [];
  let last: { readonly sequence: number; readonly begin: number } | null = null;
  for (const [row, logProb] of logProbs_R.entries()) {
    if (live_R?.[row] === 0) continue;
    const place = { sequence: Math.floor(row / T), begin: begins_R?.[row] ?? 0 };
    if (last?.sequence !== place.sequence || last.begin !== place.begin) {
      samples.push({ firstRow: row, rows: 0, tokens: 0, logProb: 0 });
    }
    last = place;
    const sample = samples[samples.length - 1];
    sample.rows++;
    if (Number.isNaN(logProb)) continue;
    sample.tokens++;
    sample.logProb += logProb;
  }
  return samples;
}
