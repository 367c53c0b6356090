/** What `troupe data show --json` prints: the first rows with all of their ids, and statistics of all rows. */
import { ATTRIBUTES, type Row, type RowStatistics } from '../data/rows/index.ts';
import type { ShownRow, ShownRows } from '../run/shown_rows.ts';

/** A row; `learnt` has 1 for each id that is a target. */
export function rowJson({ line, row, samples, isDropped }: ShownRow, { tokenizer }: ShownRows): object {
  return {
    line,
    dropped: isDropped,
    ...judgementOf(row),
    samples: samples.map(({ tokens, trained, wholeTokens }, i) => ({
      ...(row.kind === 'preference' ? { answer: ['chosen', 'rejected'][i] } : {}),
      text: tokenizer.decode(tokens),
      ids: [...tokens],
      ...(row.kind === 'attributes' ? {} : { learnt: [...trained] }),
      tokens_before_cut: wholeTokens,
    })),
  };
}

function judgementOf(row: Row): object {
  if (row.kind === 'preference') {
    const { chosenReward, rejectedReward, margin } = row;
    return { chosen_reward: chosenReward, rejected_reward: rejectedReward, margin };
  }
  if (row.kind !== 'attributes') return {};
  // JSON has no NaN; a label that is missing is null.
  return { labels: Object.fromEntries(ATTRIBUTES.map((name, i) => [name, row.labels[i]])) };
}

/** All that is printed. */
export function rowsJson(
  file: string,
  { kind, tokenizer, isStream, isInCorpora, isLearnt, topology }: ShownRows,
  rows: readonly object[],
  statistics: RowStatistics,
): object {
  const { counts } = statistics;
  return {
    file,
    kind,
    tokenizer: tokenizer.name,
    template: kind === 'text' ? null : tokenizer.chatTemplate === null ? 'chatml' : 'tokenizer',
    sequence_length: isStream ? null : topology.training.sequence_length,
    in_topology: isInCorpora,
    is_learnt_from: isLearnt,
    rows,
    statistics: {
      rows: counts.rows,
      tokens_before_cut: {
        min: statistics.percentile(0),
        median: statistics.percentile(50),
        p95: statistics.percentile(95),
        max: statistics.percentile(100),
      },
      cut: counts.truncated,
      dropped: counts.dropped,
      tokens: counts.tokens,
      learnt_tokens: counts.trainedTokens,
      found_by_content: counts.foundByContent,
    },
  };
}
