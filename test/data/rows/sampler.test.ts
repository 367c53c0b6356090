import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BytesTokenizer } from '../../../src/data/index.ts';
import { ANY_ROWS, rowOf } from '../../../src/data/rows/row_kind.ts';
import { readRows } from '../../../src/data/rows/row_reader.ts';
import type { Row } from '../../../src/data/rows/row.ts';
import type { TrainOn } from '../../../src/data/rows/sample.ts';
import { Sampler, SAMPLER_DEFAULTS, type SamplerOptions } from '../../../src/data/rows/sampler.ts';
import { caseName, golden, goldenPath, goldenTokenizer, labelled, rowsFile, type RowsCase } from './golden.ts';

const place = { path: 'rows.jsonl', line: 1 };
const MANY = 4096;

const samplerOf = (tokenizer: string, options: Partial<SamplerOptions> = {}): Sampler =>
  new Sampler(goldenTokenizer(tokenizer), { ...SAMPLER_DEFAULTS, sequenceLength: MANY, ...options });

const options = ({ options: { max_length: longest = MANY, truncation_mode: mode } }: RowsCase) =>
  ({ sequenceLength: longest, keep: mode === 'keep_end' ? 'end' : 'start' }) as const;

async function samplesOf(rows: AsyncIterable<Row> | Iterable<Row>, sampler: Sampler) {
  const samples = [];
  for await (const row of rows) {
    if (row.kind !== 'text' && row.kind !== 'chat') throw new Error(row.kind);
    const sample = await sampler.sample(row, place);
    if (sample !== null) samples.push({ input_ids: [...sample.tokens], labels: labelled(sample) });
  }
  return samples;
}

async function* rowsOf(file: string): AsyncGenerator<Row> {
  for await (const { row } of readRows(goldenPath(file))) yield row;
}

/** As in `alpaca_format.json`: TRL has no layout of its own. */
const laidOut = (instruction: string, input: string, output: string): string =>
  `Task: ${instruction}${input === '' ? '' : `\nGiven: ${input}`}\nResult: ${output}`;

const alpacaRows = (): Row[] =>
  readFileSync(goldenPath('sft/alpaca.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const { instruction, input, output } = JSON.parse(line) as Record<'instruction' | 'input' | 'output', string>;
      return { kind: 'text', text: laidOut(instruction, input, output) };
    });

/** Files whose rows TRL takes for what they are, or whose differences are in tests of their own below. */
const FILES = [
  'alpaca',
  'conversations_user_assistant',
  'messages',
  'messages_tools',
  'prompt_completion_chat',
  'prompt_completion_text',
  'text',
];
const cases = FILES.flatMap((name) => golden(`sft/${name}.expected.json`, rowsFile).cases).filter(
  ({ rows }) => rows !== undefined,
);

/** Rows of a file of which TRL's split into prompt and completion is off, as its warning says. */
const OFF: Readonly<Record<string, readonly number[]>> = {
  'prompt_completion_text.jsonl': [2],
  'prompt_completion_chat.jsonl, mistral_inst': [1],
};
const isOff = ({ rows_file: file, tokenizer }: RowsCase, row: number): boolean =>
  OFF[file]?.includes(row) || OFF[`${file}, ${tokenizer}`]?.includes(row);

function trainOnOf({ options: { assistant_only_loss: isAssistant }, effective }: RowsCase): TrainOn {
  if (isAssistant === true) return 'assistant';
  return effective?.completion_only_loss === true ? 'completion' : 'all';
}

describe('tokens and labels are those of TRL', () => {
  test.each(cases.map((each) => [caseName(each), each] as const))('%s', async (_, each) => {
    const isWhole = each.options.completion_only_loss === false && each.options.assistant_only_loss === true;
    const sampler = samplerOf(each.tokenizer, { ...options(each), trainOn: trainOnOf(each) });
    // What is called the prompt is not learnt here; a conversation without that division is.
    const undivided = async function* (rows: AsyncIterable<Row>): AsyncGenerator<Row> {
      for await (const row of rows) {
        if (row.kind === 'chat' && row.form === 'conversation')
          yield { ...row, conversation: { ...row.conversation, promptLength: 0 } };
      }
    };
    const rows = each.rows_file === 'alpaca.jsonl' ? alpacaRows() : rowsOf(`sft/${each.rows_file}`);
    const got = await samplesOf(isWhole && !Array.isArray(rows) ? undivided(rows) : rows, sampler);
    const expected = each.rows!.map(({ input_ids, labels }) => ({ input_ids, labels }));
    const compared =
      each.options.max_length === undefined && trainOnOf(each) === 'completion'
        ? (row: number) => !isOff(each, row)
        : () => true;
    if (each.options.truncation_mode === 'keep_end' && each.rows_file === 'prompt_completion_text.jsonl') {
      expect(got.map(({ input_ids }) => input_ids)).toEqual(expected.map(({ input_ids }) => input_ids));
      return;
    }
    expect(got).toHaveLength(expected.length);
    expect(got.filter((_, row) => compared(row))).toEqual(expected.filter((_, row) => compared(row)));
  });
});

test('a token that belongs to the prompt and the completion is learnt, where TRL leaves it out', async () => {
  const row = rowOf('{"prompt": "ends with space ", "completion": "word"}', ANY_ROWS, place);
  const [{ input_ids: ids, labels }] = await samplesOf([row], samplerOf('chatml'));
  expect(ids.slice(8)).toEqual([289, 261, 67, 620]);
  expect(labels.slice(7)).toEqual([-100, 289, 261, 67, 620]);
});

test('conversations with from and value have the roles of ShareGPT, which TRL does not map', async () => {
  const named = JSON.stringify({
    conversations: [
      ['human', 'Hi'],
      ['gpt', 'Hello.'],
    ].map(([from, value]) => ({ from, value })),
  });
  const plain = JSON.stringify({
    messages: [
      ['user', 'Hi'],
      ['assistant', 'Hello.'],
    ].map(([role, content]) => ({ role, content })),
  });
  for (const tokenizer of ['chatml', 'zephyr_bars', 'generation_markers']) {
    const [ours, same] = [named, plain].map((text) => rowOf(text, ANY_ROWS, place));
    expect(await samplesOf([ours], samplerOf(tokenizer))).toEqual(await samplesOf([same], samplerOf(tokenizer)));
  }
});

test('conversations with role and content are read as messages, and answers are found without marks; TRL refuses both', async () => {
  const samples = await samplesOf(rowsOf('sft/conversations_role_content.jsonl'), samplerOf('chatml'));
  expect(samples.map(({ labels }) => labels.filter((label) => label >= 0))).toEqual([
    [88, 78, 620, 198],
    [66, 620, 198],
  ]);
});

test('instructions are a question with its input below it, after history, and an answer', () => {
  const row = rowOf(
    JSON.stringify({ instruction: 'Add.', input: '1 2', output: '3', system: 'Be brief.', history: [['Hi', 'Ho']] }),
    ANY_ROWS,
    place,
  );
  expect(samplerOf('zephyr_bars').texts(row, place)).toEqual([
    '<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\nHo</s>\n<|user|>\nAdd.\n1 2</s>\n<|assistant|>\n3</s>\n',
  ]);
});

test('a text ends with the end-of-text token once, and with the separator where a tokenizer names none', async () => {
  const sampler = new Sampler(new BytesTokenizer(), { ...SAMPLER_DEFAULTS, sequenceLength: MANY });
  expect(await samplesOf([{ kind: 'text', text: 'abc' }], sampler)).toEqual([
    { input_ids: [97, 98, 99, 0], labels: [97, 98, 99, 0] },
  ]);
  const [once] = await samplesOf([{ kind: 'text', text: 'ends already<|im_end|>' }], samplerOf('chatml'));
  expect(once.input_ids.filter((id) => id === 620)).toHaveLength(1);
});

test('samples that are too long lose their end, those with nothing left to learn are dropped, and both are counted', async () => {
  const sampler = samplerOf('chatml', { sequenceLength: 6 });
  const rows = [
    '{"prompt":"The sky is","completion":" blue."}',
    '{"prompt":"a","completion":"b c d e f g h"}',
    '{"prompt":"","completion":""}',
  ].map((text) => rowOf(text, ANY_ROWS, place));
  const samples = await samplesOf(rows, sampler);
  expect(samples).toHaveLength(1);
  expect(sampler.counts).toMatchObject({ rows: 3, truncated: 1, dropped: 2, tokens: 6, trainedTokens: 5 });
});

describe('rated answers', () => {
  const rows = async () => {
    const found = [];
    for await (const { row } of readRows(goldenPath('preference/helpsteer2.jsonl')))
      if (row.kind === 'attributes') found.push(row);
    return found;
  };

  test('are the conversation of prompt and response, with five labels', async () => {
    const tokenizer = goldenTokenizer('llama3_headers');
    const sampler = samplerOf('llama3_headers');
    const [first, ...others] = await rows();
    expect(others).toHaveLength(3);
    const { tokens, labels } = (await sampler.attributes(first, place))!;
    expect([...tokens]).toEqual([...(await tokenizer.encode(sampler.texts(first, place)[0]))]);
    expect([...labels]).toEqual([4, 4, 4, 1, 2]);
  });

  test('that are too long lose their end, or are dropped if asked', async () => {
    const [first] = await rows();
    const cutShort = await samplerOf('chatml', { sequenceLength: 20 }).attributes(first, place);
    expect(cutShort?.tokens).toHaveLength(20);
    const dropping = samplerOf('chatml', { sequenceLength: 20, overlong: 'drop' });
    expect(await dropping.attributes(first, place)).toBeNull();
    expect(dropping.counts).toMatchObject({ rows: 1, dropped: 1, truncated: 0 });
  });
});
