/**
 * What `troupe data show` prints for people: a row's text with what is learnt of it underlined or in brackets, and a table of
 * how long all rows are.
 */
import { styleText } from 'node:util';
import { ATTRIBUTES, type Row, type RowStatistics } from '../data/rows/index.ts';
import type { Tokenizer } from '../data/index.ts';
import type { ShownRow, ShownRows, ShownSample } from '../run/shown_rows.ts';
import { visibleText } from '../visible_text.ts';
import { percent, plural } from './figures.ts';
import { numbers, table, words } from './table.ts';

/** Tokens of a sample that are shown, and ids of a text. */
const [mostTokens, mostIds] = [2000, 24];

/** What stands above the rows: their kind, and how they are looked at. */
export function rowsHead(file: string, rows: ShownRows): string[] {
  const { kind, tokenizer, isStream, isInCorpora, isLearnt, topology } = rows;
  const template =
    kind === 'text' ? '' : `, template ${tokenizer.chatTemplate === null ? 'ChatML' : 'of the tokenizer'}`;
  const length = isStream
    ? 'one stream of texts, cut into sequences wherever they end'
    : `sequence_length ${topology.training.sequence_length}`;
  return [
    visibleText(`${file}: rows of the kind ${kind}; tokenizer ${tokenizer.name}${template}; ${length}`),
    ...(isInCorpora ? [] : ['no corpus of the topology has this file']),
    ...(isLearnt ? [] : [unlearnt(rows)]),
    '',
  ];
}

function unlearnt({ kind, topology }: ShownRows): string {
  if (kind === 'preference') return 'no objective learns from pairs yet';
  return `objective.kind ${topology.objective.kind} does not learn from them`;
}

/** The lines of a row, a blank one behind them. */
export function rowLines(number: number, { line, row, samples, isDropped }: ShownRow, rows: ShownRows): string[] {
  const place = `row ${number}, line ${line}`;
  return samples.flatMap((sample, i) => {
    const name = row.kind === 'preference' ? ` ${['chosen', 'rejected'][i]}:` : '';
    const tokens = isDropped ? dropped(samples, rows) : tokensOf(sample, row.kind !== 'attributes' && !rows.isStream);
    const said = [tokens, ...judged(row, i)].join('; ');
    return [
      styleText('bold', `${place}:${name} ${said}`),
      markedText(sample, rows.tokenizer, row.kind !== 'attributes' && !isDropped),
      ...(row.kind === 'text' ? [styleText('dim', `ids: ${idsOf(sample)}`)] : []),
      '',
    ];
  });
}

function tokensOf({ tokens, trained, wholeTokens }: ShownSample, isCounted: boolean): string {
  const cut = tokens.length < wholeTokens ? ` of ${wholeTokens}, the rest cut` : '';
  return `${plural(tokens.length, 'token')}${cut}${isCounted ? `, ${learntOf(trained)} learnt` : ''}`;
}

function dropped(samples: readonly ShownSample[], { topology }: ShownRows): string {
  const longest = Math.max(...samples.map(({ wholeTokens }) => wholeTokens));
  const isTooLong = longest > topology.training.sequence_length;
  return isTooLong
    ? `dropped: ${longest} tokens, and nothing to learn in those of a sequence`
    : 'dropped: nothing to learn';
}

/** The first token has none before it to predict it from. */
const learntOf = (trained: Uint8Array): number => trained.subarray(1).reduce((sum, each) => sum + each, 0);

/** What a row says of its answers. */
function judged(row: Row, sample: number): string[] {
  if (row.kind === 'attributes') {
    return [ATTRIBUTES.map((name, i) => `${name} ${Number.isNaN(row.labels[i]) ? '-' : row.labels[i]}`).join(', ')];
  }
  if (row.kind !== 'preference') return [];
  const reward = [row.chosenReward, row.rejectedReward][sample];
  const margin = sample === 0 ? row.margin : null;
  return [...(reward === null ? [] : [`reward ${reward}`]), ...(margin === null ? [] : [`margin ${margin}`])];
}

/** The text of the tokens; runs of those that are learnt are underlined on a terminal, and in ⟦brackets⟧ elsewhere. */
function markedText({ tokens, trained }: ShownSample, tokenizer: Tokenizer, isMarked: boolean): string {
  const decoder = tokenizer.decoder();
  const runs: { isLearnt: boolean; text: string }[] = [];
  const add = (isLearnt: boolean, text: string): void => {
    const last = runs.at(-1);
    if (last?.isLearnt === isLearnt) last.text += text;
    else if (text !== '') runs.push({ isLearnt, text });
  };
  const shown = tokens.subarray(0, mostTokens);
  for (const [at, id] of shown.entries()) add(isMarked && trained[at] === 1, decoder.push(id));
  add(runs.at(-1)?.isLearnt ?? false, decoder.end());
  const text = runs.map(({ isLearnt, text }) => (isLearnt ? marked(visibleText(text)) : visibleText(text))).join('');
  const left = tokens.length - shown.length;
  return left === 0 ? text.replace(/\n$/, '') : `${text}\n... and ${left} more tokens; --json has all`;
}

/** Where there are no colours, or they are not wanted, it is brackets. */
function marked(text: string): string {
  const styled = styleText(['underline', 'green'], text);
  return styled === text ? `⟦${text}⟧` : styled;
}

function idsOf({ tokens }: ShownSample): string {
  const rest = tokens.length - mostIds;
  return [...tokens.subarray(0, mostIds), ...(rest > 0 ? [`... and ${rest} more; --json has all`] : [])].join(' ');
}

/** Of all rows: how many, how long before anything is cut, what is cut, and how much is learnt. */
export function statisticsLines(rows: ShownRows, statistics: RowStatistics): string[] {
  const { counts } = statistics;
  const lengths = [0, 50, 95, 100].map((percent) => String(statistics.percentile(percent)));
  const columns = [
    ...[numbers('rows'), numbers('min'), numbers('median'), numbers('p95'), numbers('max')],
    ...(rows.isStream ? [words('tokens')] : [numbers('cut'), numbers('dropped'), numbers('tokens')]),
    ...(hasTargets(rows) ? [words('learnt')] : []),
  ];
  const cells = [
    ...[String(counts.rows), ...lengths],
    ...(rows.isStream ? [] : [String(counts.truncated), String(counts.dropped)]),
    String(counts.tokens),
    ...(hasTargets(rows) ? [`${counts.trainedTokens} (${percent(counts.trainedTokens / counts.tokens)})`] : []),
  ];
  return [
    `all rows; lengths in tokens${rows.kind === 'preference' ? ' of an answer with its prompt' : ''}, before any is cut`,
    ...table(columns, [cells]).map((line) => `  ${line}`),
    ...(counts.foundByContent === 0
      ? []
      : [`turns of ${plural(counts.foundByContent, 'row')} were found by their content`]),
  ];
}

/** Of attributes what is learnt are the labels, of a stream it is every token. */
const hasTargets = ({ kind, isStream }: ShownRows): boolean => kind !== 'attributes' && !isStream;
