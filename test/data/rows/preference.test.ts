import { describe, expect, test } from 'vitest';
import { ANY_ROWS, rowOf } from '../../../src/data/rows/row_kind.ts';
import { readRows } from '../../../src/data/rows/row_reader.ts';
import type { PreferenceRow } from '../../../src/data/rows/row.ts';
import { Sampler, SAMPLER_DEFAULTS, type PreferencePair } from '../../../src/data/rows/sampler.ts';
import { caseName, golden, goldenPath, goldenTokenizer, rowsFile, type RowsCase } from './golden.ts';

const place = { path: 'rows.jsonl', line: 1 };

const preferenceOf = (row: unknown): PreferenceRow => {
  const parsed = rowOf(JSON.stringify(row), ANY_ROWS, place);
  if (parsed.kind !== 'preference') throw new Error(parsed.kind);
  return parsed;
};

const samplerOf = (
  { tokenizer, options: { max_length: longest = 4096, truncation_mode: mode } }: RowsCase,
  overlong: 'truncate' | 'drop',
): Sampler =>
  new Sampler(goldenTokenizer(tokenizer), {
    ...SAMPLER_DEFAULTS,
    sequenceLength: longest,
    overlong,
    keep: mode === 'keep_end' ? 'end' : 'start',
  });

async function pairsOf(each: RowsCase, folder: string): Promise<PreferencePair[]> {
  const sampler = samplerOf(each, folder === 'reward' ? 'drop' : 'truncate');
  const rows: PreferenceRow[] = [];
  if (each.converted_by_us_first !== undefined && each.rows_file !== 'nemo_ranked.jsonl')
    rows.push(...each.converted_by_us_first.map(preferenceOf));
  else
    for await (const { row } of readRows(goldenPath(`${folder}/${each.rows_file}`)))
      if (row.kind === 'preference') rows.push(row);
  const pairs = [];
  for (const row of rows) pairs.push(await sampler.pair(row, place));
  return pairs.filter((pair) => pair !== null);
}

const casesOf = (folder: string, files: readonly string[]) =>
  files.flatMap((name) =>
    golden(`${folder}/${name}.expected.json`, rowsFile).cases.map((each) => [caseName(each), each] as const),
  );

/** Rows of which TRL tokenises a prompt that is no beginning of the whole: it trains on a text that nobody wrote. */
const isOff = ({ rows_file: file, tokenizer }: RowsCase, row: number, count: number): boolean =>
  file === 'implicit_text.jsonl'
    ? row === count - 1
    : tokenizer === 'mistral_inst' && /chat|nemo/.test(file) && row === 1;

describe('pairs are those of the DPO trainer', () => {
  const files = [
    'explicit_chat',
    'explicit_text',
    'helpsteer2',
    'helpsteer3',
    'implicit_chat',
    'implicit_text',
    'nemo_ranked',
  ];
  test.each(casesOf('preference', files))('%s', async (_, each) => {
    const pairs = await pairsOf(each, 'preference');
    expect(pairs).toHaveLength(each.rows!.length);
    const sides = [...pairs.map(({ chosen }) => chosen), ...pairs.map(({ rejected }) => rejected)];
    for (const [at, { tokens, trained }] of sides.entries()) {
      if (isOff(each, at % pairs.length, pairs.length)) continue;
      const { input_ids: ids, attention_mask: attended, completion_mask: completion } = each.collated_all!;
      const length = attended[at].filter((live) => live === 1).length;
      expect([...tokens]).toEqual(ids[at].slice(0, length));
      expect([...trained]).toEqual(completion[at].slice(0, length));
    }
  });
});

describe('pairs are those of the reward trainer, which drops what is too long', () => {
  test.each(casesOf('reward', ['pairs_explicit_chat', 'pairs_implicit_chat', 'pairs_prompt_text', 'pairs_text']))(
    '%s',
    async (_, each) => {
      const pairs = await pairsOf(each, 'reward');
      const got = pairs.map(({ chosen, rejected, margin }) => ({
        chosen_ids: [...chosen.tokens],
        rejected_ids: [...rejected.tokens],
        ...(margin === null ? {} : { margin }),
      }));
      expect(got).toEqual(each.rows);
    },
  );
});

test('a token across the end of a common beginning belongs to the answers, and the tokens are those of the text', async () => {
  const sampler = new Sampler(goldenTokenizer('chatml'), { ...SAMPLER_DEFAULTS, sequenceLength: 64 });
  const { chosen, rejected } = (await sampler.pair(
    preferenceOf({ chosen: 'stop here', rejected: 'stop here now' }),
    place,
  ))!;
  expect([...chosen.tokens]).toEqual([264, 390, 363, 531, 620]);
  expect([...chosen.trained]).toEqual([0, 0, 0, 1, 1]);
  expect([...rejected.trained]).toEqual([0, 0, 0, 1, 1, 1, 1]);
});

test('rewards and margins are kept, of ranked completions the two best count', () => {
  const row = preferenceOf({
    context: 'Q',
    completions: [
      { rank: 2, completion: 'bad', reward: -1 },
      { rank: 0, completion: 'good', reward: 2.0 },
      { rank: 1, completion: 'fair', reward: 0.5 },
    ],
  });
  expect(row).toMatchObject({
    prompt: 'Q',
    chosen: 'good',
    rejected: 'fair',
    chosenReward: 2,
    rejectedReward: 0.5,
    margin: null,
  });
  const judged = preferenceOf({
    prompt: 'Q',
    chosen: 'a',
    rejected: 'b',
    chosen_reward: 1,
    rejected_reward: 0,
    margin: 3,
  });
  expect(judged).toMatchObject({ chosenReward: 1, rejectedReward: 0, margin: 3 });
});

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

test('a prompt beside whole conversations is what they begin with, and is not put before them again', () => {
  const [chosen, rejected] = [
    [user('q'), assistant('a')],
    [user('q'), assistant('b')],
  ];
  for (const prompt of ['q', [user('q')]]) {
    const row = preferenceOf({ prompt, chosen, rejected });
    if (row.form !== 'conversation') throw new Error(row.form);
    expect(row.chosen.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
    expect(row.chosen.promptLength).toBe(1);
  }
  expect(() => preferenceOf({ prompt: 'other', chosen, rejected })).toThrow(
    'rows.jsonl:1: prompt: chosen and rejected are whole conversations that do not begin with it',
  );
});

test('of two answers of which one goes on where the other ends, the last message or character is their difference', () => {
  const row = preferenceOf({
    chosen: [user('q'), assistant('a')],
    rejected: [user('q'), assistant('a'), user('r'), assistant('b')],
  });
  if (row.form !== 'conversation') throw new Error(row.form);
  expect(row.chosen.promptLength).toBe(1);
  expect(preferenceOf({ chosen: 'ab', rejected: 'abc' })).toMatchObject({ prompt: 'a', chosen: 'b', rejected: 'bc' });
  expect(preferenceOf({ chosen: '👍🏽 yes', rejected: '👍🏿 yes' })).toMatchObject({ prompt: '👍', chosen: '🏽 yes' });
});
