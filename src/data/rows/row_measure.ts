/**
 * A measure of rows that follow each other in a file: how long their samples are before anything is cut, and what becomes of
 * them. It is taken on a thread, as samples are made, of pairs too; no sample is kept.
 */
import type { Tokenizer } from '../tokenizers/tokenizer.ts';
import { rowOf } from './row_kind.ts';
import { streaming } from './row_tokenizer.ts';
import type { SampleTask } from './sample_task.ts';
import { Sampler, type RowCounts } from './sampler.ts';

export interface MeasureTask extends SampleTask {
  /** Whether they are texts that follow each other in a stream, of which none is a sample of its own. */
  readonly isStream: boolean;
}

export interface RowMeasure {
  /** Tokens of each sample before anything is cut, in the order of the rows; a pair has two. */
  readonly lengths: Uint32Array;
  readonly counts: RowCounts;
}

/** Throws `BadRow`, `BadChatTemplate`. `saw` is told of the bytes of each row. */
export async function measureOf(
  { path, rows, format, options, isStream }: MeasureTask,
  tokenizer: Tokenizer,
  saw: (bytes: number) => void,
): Promise<RowMeasure> {
  const sampler = new Sampler(isStream ? streaming(tokenizer) : tokenizer, options);
  const lengths: number[] = [];
  for (const { line, text } of rows) {
    saw(text.length);
    const place = { path, line };
    const row = rowOf(text, format, place);
    const whole = await sampler.whole(row, place);
    sampler.kept(row, whole);
    for (const { tokens } of whole) lengths.push(tokens.length);
  }
  return { lengths: Uint32Array.from(lengths), counts: sampler.counts };
}
