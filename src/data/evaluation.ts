/**
 * The windows that a model is evaluated on: a fixed list, the same for every seed and every run of a blend, so that
 * evaluation losses compare. They are allotted to the corpora by weight and spread evenly over the held-out blocks.
 */
import { Allotment } from './allotment.ts';
import type { PackedCorpus } from './packed_corpus.ts';
import { windowStarts } from './windows.ts';

export interface CorpusWindows {
  readonly name: string;
  /** Windows allotted by weight. */
  readonly asked: number;
  /** Windows that the held-out blocks have room for. */
  readonly available: number;
  /** Windows in the list: the lesser of the two. */
  readonly rows: number;
}

export interface HeldOutWindows {
  readonly sequenceLength: number;
  readonly asked: number;
  /** Less than `asked` where the held-out blocks have no more: the list says so by corpus. */
  readonly rows: number;
  readonly corpora: readonly CorpusWindows[];
  /** `[rows, sequenceLength + 1]`; any first part of the rows is blended as well. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Index of the corpus of each row. */
  readonly corpusOfRow: readonly number[];
}

/** Chooses up to `count` held-out windows of `sequenceLength + 1` tokens from corpora with the given shares. */
export function heldOutWindows(
  corpora: readonly PackedCorpus[],
  shares: readonly number[],
  sequenceLength: number,
  count: number,
): HeldOutWindows {
  const width = sequenceLength + 1;
  const allotment = new Allotment(shares);
  const draws = Array.from({ length: count }, (_, n) => allotment.at(n));
  const starts = corpora.map(({ heldOut }) => windowStarts(heldOut, width));
  const chosen = corpora.map(({ name }, corpus): CorpusWindows => {
    const asked = draws.filter((draw) => draw.corpus === corpus).length;
    const available = starts[corpus].length;
    return { name, asked, available, rows: Math.min(asked, available) };
  });
  const kept = draws.filter(({ corpus, ordinal }) => ordinal < chosen[corpus].rows);
  const tokens = new Int32Array(kept.length * width);
  for (const [row, { corpus, ordinal }] of kept.entries()) {
    // The middle of the ordinal-th of `rows` equal parts of the list.
    const at = Math.floor(((2 * ordinal + 1) * chosen[corpus].available) / (2 * chosen[corpus].rows));
    const start = starts[corpus][at];
    tokens.set(corpora[corpus].read(start, start + width), row * width);
  }
  const corpusOfRow = kept.map((draw) => draw.corpus);
  return { sequenceLength, asked: count, rows: kept.length, corpora: chosen, tokens, corpusOfRow };
}
