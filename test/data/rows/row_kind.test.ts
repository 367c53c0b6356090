import { expect, test } from 'vitest';
import { BadRow } from '../../../src/data/rows/row_error.ts';
import { ANY_ROWS, checkKind, rowOf, type RowFormat } from '../../../src/data/rows/row_kind.ts';

const place = { path: 'a/rows.jsonl', line: 7 };
const read = (row: unknown, format: RowFormat = ANY_ROWS) =>
  rowOf(typeof row === 'string' ? row : JSON.stringify(row), format, place);

const messages = [
  { role: 'user', content: 'q' },
  { role: 'assistant', content: 'a' },
];
const shared = [
  { from: 'human', value: 'q' },
  { from: 'gpt', value: 'a' },
];

test.each([
  [{ text: 'x' }, 'text'],
  [{ messages }, 'chat'],
  [{ messages: shared }, 'chat'],
  [{ conversations: shared }, 'chat'],
  [{ conversations: messages }, 'chat'],
  [{ prompt: 'q', completion: 'a' }, 'chat'],
  [{ prompt: messages.slice(0, 1), completion: messages.slice(1) }, 'chat'],
  [{ instruction: 'i', output: 'o' }, 'chat'],
  [{ instruction: 'i', input: '', output: 'o', system: null, history: [['q', 'a']] }, 'chat'],
  [{ prompt: 'q', chosen: 'a', rejected: 'b' }, 'preference'],
  [{ chosen: messages, rejected: [messages[0], { role: 'assistant', content: 'b' }] }, 'preference'],
  [
    {
      context: 'q',
      completions: [
        { rank: 1, completion: 'a' },
        { rank: 2, completion: 'b' },
      ],
    },
    'preference',
  ],
  [{ prompt: 'q', response: 'a', helpfulness: 4 }, 'attributes'],
  // Of public data sets: the text made of an instruction, the chat of the better answer, a key that means something else.
  [{ instruction: 'i', input: '', output: 'o', text: 'i o' }, 'chat'],
  [
    {
      prompt: 'q',
      prompt_id: 'x',
      messages,
      chosen: messages,
      rejected: [messages[0], { role: 'assistant', content: 'b' }],
    },
    'preference',
  ],
  [{ messages, complexity: 'high' }, 'chat'],
])('%j is a row of kind %s', (row, kind) => {
  expect(read(row).kind).toBe(kind);
});

test('messages keep what templates may look at, and lose whether they are learnt', () => {
  const call = { type: 'function', function: { name: 'f', arguments: { x: 1 } } };
  const row = read({
    messages: [{ role: 'assistant', content: null, tool_calls: [call], thought: 't', train: false }],
    tools: [{}],
  });
  if (row.kind !== 'chat' || row.form !== 'conversation') throw new Error(row.kind);
  expect(row.conversation.tools).toEqual([{}]);
  expect(row.conversation.messages).toEqual([
    { role: 'assistant', train: false, fields: { role: 'assistant', content: null, tool_calls: [call], thought: 't' } },
  ]);
});

test('the roles of ShareGPT are those of templates, and others stay', () => {
  const conversations = ['system', 'human', 'gpt', 'observation', 'critic'].map((from) => ({ from, value: 'x' }));
  const row = read({ conversations });
  if (row.kind !== 'chat' || row.form !== 'conversation') throw new Error(row.kind);
  expect(row.conversation.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'critic']);
});

test('an attribute that is missing is masked', () => {
  const row = read('{"prompt": "q", "response": "a", "helpfulness": 3.0, "verbosity": 0, "coherence": null}');
  if (row.kind !== 'attributes') throw new Error(row.kind);
  expect([...row.labels]).toEqual([3, NaN, NaN, NaN, 0]);
  expect(row.conversation.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
});

test('columns name the keys of a file, and a kind that is asked for is the only one looked for', () => {
  expect(read({ body: 'x', text: 'other' }, { kind: null, columns: { text: 'body' } })).toEqual({
    kind: 'text',
    text: 'x',
  });
  const renamed = read(
    { question: 'q', answer: 'a' },
    { kind: null, columns: { prompt: 'question', completion: 'answer' } },
  );
  expect(renamed).toMatchObject({ kind: 'chat', prompt: 'q', completion: 'a' });
  expect(read({ text: 'x', messages }, { kind: 'text', columns: {} })).toEqual({ kind: 'text', text: 'x' });
});

const pair = { prompt: 'q', chosen: 'a', rejected: 'b' };
const rated = { prompt: 'q', response: 'a' };

test.each<[string, unknown, string]>([
  ['no JSON', '{"text": ', 'a/rows.jsonl:7: it is not JSON: '],
  ['a list', '[1]', 'a/rows.jsonl:7: it is [1], no object; write one JSON object a line'],
  ['null', 'null', 'a/rows.jsonl:7: it is null, no object'],
  ['no key', {}, 'a/rows.jsonl:7: the row has no key; a row has text; messages; conversations; '],
  ['unknown keys', { question: 'q', answer: 'a' }, 'the row has "question", "answer"; a row has text; '],
  ['a text that is a number', { text: 5 }, 'a/rows.jsonl:7: text: it is no text: 5; correct the row, or remove it'],
  ['messages that are text', { messages: 'x' }, '7: messages: it is no list of messages: "x"'],
  ['no message', { messages: [] }, '7: messages: it has no message: []'],
  ['a message that is text', { messages: ['x'] }, '7: messages.0: '],
  [
    'a message without a role',
    { messages: [{ content: 'x' }] },
    '7: messages.0: a message has content; give it role and content',
  ],
  [
    'a message with two roles',
    { messages: [{ role: 'user', from: 'gpt', content: 'x' }] },
    'it has both role "user" and from "gpt"',
  ],
  ['a role that is a number', { messages: [{ role: 1, content: 'x' }] }, '7: messages.0.role: it is no text: 1'],
  [
    'content that is a number',
    { messages: [{ role: 'user', content: 1 }] },
    '7: messages.0.content: it is neither text nor a list of parts: 1',
  ],
  [
    'train that is text',
    { messages: [{ role: 'user', content: 'x', train: 'no' }] },
    '7: messages.0.train: it is neither true nor false: "no"',
  ],
  ['a prompt without its completion', { prompt: 'q' }, 'the row has "prompt"; a row has'],
  ['a completion without its prompt', { completion: 'q' }, '7: prompt: there is none; a row with completion needs it'],
  [
    'a prompt of text with a completion of messages',
    { prompt: 'q', completion: messages },
    '7: prompt: of prompt and completion one is text, one messages',
  ],
  [
    'messages in a completion that are wrong',
    { prompt: messages, completion: [{ role: 1 }] },
    '7: completion.0.role: it is no text: 1',
  ],
  ['an instruction without output', { instruction: 'i', text: 5 }, '7: text: it is no text: 5'],
  [
    'history of no pairs',
    { instruction: 'i', output: 'o', history: ['x'] },
    '7: history.0: it is no pair of two texts: "x"',
  ],
  ['one answer', { prompt: 'q', chosen: 'a' }, '7: rejected: there is none; a preference row has two answers'],
  [
    'one answer beside messages',
    { messages, rejected: 'a' },
    '7: chosen: there is none; a preference row has two answers',
  ],
  ['the same answer twice', { ...pair, rejected: 'a' }, '7: rejected: both answers are the same'],
  [
    'answers of text and messages',
    { chosen: 'a', rejected: messages },
    '7: chosen: of prompt, chosen and rejected some are texts, some messages',
  ],
  ['a reward that is text', { ...pair, chosen_reward: '1' }, '7: chosen_reward: it is no number: "1"'],
  [
    'a completion that is ranked alone',
    { context: 'q', completions: [{ rank: 0, completion: 'a' }] },
    '7: completions: it has fewer than two answers',
  ],
  [
    'completions of one rank',
    {
      context: 'q',
      completions: [
        { rank: 0, completion: 'a' },
        { rank: 0, completion: 'b' },
      ],
    },
    'the two best have the same rank 0',
  ],
  [
    'a rank that is text',
    {
      context: 'q',
      completions: [
        { rank: 'x', completion: 'a' },
        { rank: 1, completion: 'b' },
      ],
    },
    '7: completions.0.rank: it is no number: "x"',
  ],
  ['an attribute that is text', { ...rated, helpfulness: '3' }, '7: helpfulness: it is no number: "3"'],
  ['an attribute above 4', { ...rated, coherence: 5 }, '7: coherence: it is above 4: 5'],
  ['an attribute below 0', { ...rated, coherence: -1 }, '7: coherence: it is below 0: -1'],
  ['no attribute', rated, 'the row has "prompt", "response"; a row has'],
  ['a response that is a list', { ...rated, helpfulness: 1, response: [] }, '7: response: it is no text: []'],
  [
    'a number beyond 2^53 for a text',
    '{"text": 12345678901234567890}',
    '7: text: it is no text: "12345678901234567890"',
  ],
])('%s is refused with file, line, key, what was found and what to do', (_, row, message) => {
  expect(() => read(row)).toThrow(BadRow);
  expect(() => read(row)).toThrow(message);
});

test('columns that no row has, and a kind that a row is not of, are refused', () => {
  expect(() => read({ text: 'x' }, { kind: null, columns: { text: 'body' } })).toThrow(
    'the row has "text" and none of body; correct columns',
  );
  expect(() => read({ text: 'x' }, { kind: 'preference', columns: {} })).toThrow(
    'a row of kind preference has chosen and rejected; or context and completions',
  );
});

test('rows of another kind than those before are refused', () => {
  expect(() => checkKind(read({ text: 'x' }), 'chat', place)).toThrow(
    'a/rows.jsonl:7: it is a text row, those before it are chat rows; put each kind into a file of its own',
  );
});
