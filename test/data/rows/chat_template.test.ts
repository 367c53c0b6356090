import { describe, expect, test } from 'vitest';
import { BytesTokenizer } from '../../../src/data/index.ts';
import { eachSpecial } from '../../../src/data/tokenizers/special_tokens.ts';
import { CHATML_TOKENS, ChatTemplate } from '../../../src/data/rows/chat_template.ts';
import { ANY_ROWS, rowOf } from '../../../src/data/rows/row_kind.ts';
import type { Conversation } from '../../../src/data/rows/row.ts';
import type { RowTokenizer } from '../../../src/data/rows/row_tokenizer.ts';
import { templatedSample, type TrainOn } from '../../../src/data/rows/sample.ts';
import { Sampler, SAMPLER_DEFAULTS } from '../../../src/data/rows/sampler.ts';
import {
  FAMILIES,
  conversationsFile,
  golden,
  goldenTokenizer,
  labelled,
  labelsFile,
  renderingsFile,
} from './golden.ts';

const { conversations, tool_conversations: toolConversations } = golden('chat/conversations.json', conversationsFile);
const all = new Map([...conversations, ...toolConversations].map((each) => [each.name, each]));
const place = { path: 'rows.jsonl', line: 1 };

/** A conversation of the file as the row reader would give it. */
function conversationOf(name: string): Conversation {
  const { messages, tools = null, kwargs = {} } = all.get(name)!;
  return {
    messages: messages.map((fields) => ({ role: String(fields.role), train: null, fields })),
    promptLength: 0,
    tools: Array.isArray(tools) ? tools : null,
    variables: { ...(kwargs as Record<string, unknown>) },
  };
}

describe.each(FAMILIES)('the template %s', (family) => {
  const tokenizer = goldenTokenizer(family);
  const template = new ChatTemplate(tokenizer);
  const { cases } = golden(`chat/${family}/expected.json`, renderingsFile);

  test.each(cases)('gives text, ids and marked turns of $conversation, or refuses it', async (each) => {
    const conversation = conversationOf(each.conversation);
    for (const [expected, isAnswering] of [
      [each.without_generation_prompt, false],
      [each.with_generation_prompt, true],
    ] as const) {
      const render = () => template.render(conversation.messages, conversation, isAnswering);
      if (expected.error !== undefined) {
        expect(render).toThrow(expected.error.type === 'TemplateError' ? expected.error.message : undefined);
        continue;
      }
      const { text, generations } = render();
      expect(text).toBe(expected.text);
      const { tokens, trained } = await templatedSample(tokenizer, text, generations);
      expect([...tokens]).toEqual(expected.ids);
      if (!isAnswering && each.assistant_mask !== undefined) expect([...trained]).toEqual(each.assistant_mask);
    }
  });

  const sampled = async (name: string, isSplit: boolean, trainOn: TrainOn) => {
    const { messages, tools, kwargs } = all.get(name)!;
    const parts = isSplit ? { prompt: messages.slice(0, -1), completion: messages.slice(-1) } : { messages };
    const row = rowOf(JSON.stringify({ ...parts, tools, chat_template_kwargs: kwargs }), ANY_ROWS, place);
    if (row.kind !== 'chat') throw new Error(row.kind);
    return await new Sampler(tokenizer, { ...SAMPLER_DEFAULTS, sequenceLength: 4096, trainOn }).sample(row, place);
  };

  test.each(golden(`chat/${family}/trl_labels.json`, labelsFile).cases)(
    'learns of $conversation what TRL learns',
    async (each) => {
      const kinds = [
        ['completion', true, each.completion_only],
        ['assistant', false, each.assistant_only],
        ['assistant', true, each.completion_and_assistant_only],
      ] as const;
      for (const [trainOn, isSplit, expected] of kinds) {
        // Where the prompt is no beginning of the whole, TRL's split is off: see the next test.
        if (expected === undefined || expected.prefix_mismatch_warning !== undefined) continue;
        const sample = await sampled(each.conversation, isSplit, trainOn);
        expect([...sample!.tokens]).toEqual(expected.input_ids);
        expect(labelled(sample!)).toEqual(expected.labels);
      }
    },
  );
});

test('where a template shows a cut conversation otherwise than the whole, the turn is what changes with its content', async () => {
  const tokenizer = goldenTokenizer('mistral_inst');
  const sampler = new Sampler(tokenizer, { ...SAMPLER_DEFAULTS, sequenceLength: 4096 });
  const { messages } = all.get('system_pair')!;
  const row = rowOf(JSON.stringify({ messages }), ANY_ROWS, place);
  if (row.kind !== 'chat') throw new Error(row.kind);
  const { tokens, trained } = (await sampler.sample(row, place))!;
  const learnt = tokens.filter((_, index) => trained[index] === 1);
  expect([...learnt]).toEqual([...(await tokenizer.encode(' Blue.</s>'))]);
  expect(sampler.counts.foundByContent).toBe(1);
});

/** A tokenizer of characters, and of the tokens that it is given. */
function characters(names: readonly string[], chatTemplate: string | null = null): RowTokenizer {
  const spans = (text: string) => {
    const pattern = new RegExp([...names.map((name) => name.replaceAll('|', '\\|')), '[^]'].join('|'), 'gu');
    return [...text.matchAll(pattern)].map(({ 0: part, index }) => ({ part, index }));
  };
  const idOf = (part: string): number => (names.includes(part) ? names.indexOf(part) : part.codePointAt(0)!);
  return {
    name: 'characters',
    separatorId: 0,
    specialTokens: eachSpecial(() => null),
    chatTemplate,
    toolTemplate: null,
    putsAround: false,
    encode: (text) => Uint32Array.from(spans(text), ({ part }) => idOf(part)),
    encodeSpans: (text) => ({
      ids: Uint32Array.from(spans(text), ({ part }) => idOf(part)),
      begins: Uint32Array.from(spans(text), ({ index }) => index),
      ends: Uint32Array.from(spans(text), ({ part, index }) => index + part.length),
    }),
    tokenId: (content) => (names.includes(content) ? names.indexOf(content) : null),
  };
}

test('without a template it is ChatML, which bytes can be given the tokens of', async () => {
  const tokenizer = new BytesTokenizer().withSpecials(CHATML_TOKENS);
  const conversation = conversationOf('unicode');
  const { text, generations } = new ChatTemplate(tokenizer).render(conversation.messages, conversation);
  const [asked, answered] = conversation.messages.map(({ fields }) => String(fields.content));
  expect(text).toBe(`<|im_start|>user\n${asked}<|im_end|>\n<|im_start|>assistant\n${answered}<|im_end|>\n`);
  expect(generations.map(({ begin, end }) => text.slice(begin, end))).toEqual([`${answered}<|im_end|>`]);
  const { tokens, trained } = await templatedSample(tokenizer, text, generations);
  expect(tokenizer.decode(tokens.filter((_, at) => trained[at] === 1))).toBe(`${answered}<|im_end|>`);
  expect(tokenizer.decode(tokens)).toBe(text);
  const remedies = [
    'a model has them that was trained on rows of data: tune it on chats first',
    'put a chat_template.jinja beside the tokenizer, or add these tokens to it',
  ];
  for (const [other, lacks, remedy] of [
    [new BytesTokenizer(), '<|im_start|> and <|im_end|>', remedies[0]],
    [characters(['<|im_start|>']), '<|im_end|>', remedies[1]],
  ] as const) {
    expect(() => new ChatTemplate(other)).toThrow(
      `chat template of tokenizer '${other.name}': there is none, and for ChatML the vocabulary lacks ${lacks}; ` +
        remedy,
    );
  }
});

test('a template that cannot be used is refused before any row, with its line', () => {
  expect(() => new ChatTemplate(characters([], 'a\n{% import "x" %}'))).toThrow(
    'chat template of tokenizer \'characters\': line 2: unknown statement "import"; correct it',
  );
});

const sampleOf = async (template: string, row: unknown) => {
  const parsed = rowOf(JSON.stringify(row), ANY_ROWS, place);
  if (parsed.kind !== 'chat') throw new Error(parsed.kind);
  const sampler = new Sampler(characters([], template), { ...SAMPLER_DEFAULTS, sequenceLength: 4096 });
  const { tokens, trained } = (await sampler.sample(parsed, place))!;
  const text = (isLearnt: number) =>
    [...tokens].map((id, at) => (trained[at] === isLearnt ? String.fromCodePoint(id) : '_')).join('');
  return text(1);
};

const turns = (...pairs: [string, string, boolean?][]) => ({
  messages: pairs.map(([role, content, train]) => ({ role, content, ...(train === undefined ? {} : { train }) })),
});
const BARS =
  '{% for m in messages %}{{ m.role[0] }}:{{ m.content }}|{% endfor %}{% if add_generation_prompt %}a:{% endif %}';
const MARKED =
  '{% for m in messages %}{% if m.role == "assistant" %}a:{% generation %}{{ m.content }}|{% endgeneration %}{% else %}u:{{ m.content }}|{% endif %}{% endfor %}';

test.each([BARS, MARKED])(
  'the turns of the assistant are learnt, but those that say train: false, by %j',
  async (template) => {
    const row = turns(
      ['user', 'q'],
      ['assistant', 'one', false],
      ['user', 'r'],
      ['assistant', 'two'],
      ['assistant', ''],
    );
    expect(await sampleOf(template, row)).toBe(`${'_'.repeat(16)}two|__|`);
  },
);

test('turns that a template marks in another number are learnt all or refused', async () => {
  const once = '{% for m in messages %}{{ m.content }}|{% endfor %}{% generation %}!{% endgeneration %}';
  expect(await sampleOf(once, turns(['user', 'q'], ['assistant', 'a'], ['assistant', 'b']))).toBe('______!');
  await expect(sampleOf(once, turns(['assistant', 'a', false], ['assistant', 'b']))).rejects.toThrow(
    'rows.jsonl:1: messages: the template marks 1 turns of the assistant, the row has 2; learn all turns of it',
  );
});

test.each([
  [
    'a role that the template refuses',
    goldenTokenizer('chatml').chatTemplate!,
    turns(['critic', 'x'], ['assistant', 'a']),
    'the chat template refuses the roles critic, assistant: no such role: critic',
  ],
  [
    'a role of which the template shows nothing',
    "{% for m in messages if m.role in ['user', 'assistant'] %}{{ m.content }}{% endfor %}",
    turns(['critic', 'x'], ['assistant', 'a']),
    'messages.0.role: the chat template shows nothing of the role "critic"',
  ],
  [
    'an answer of a tool that the template passes over',
    "{% for m in messages if m.role != 'tool' %}{{ m.content }}{% endfor %}",
    turns(['user', 'x'], ['tool', 'y'], ['assistant', 'a']),
    'messages.1.role: the chat template shows nothing of the role "tool"',
  ],
  ['a conversation without the assistant', BARS, turns(['user', 'x']), 'messages: there is no turn of the assistant'],
  [
    'one of which nothing is to be learnt',
    BARS,
    turns(['user', 'x'], ['assistant', 'a', false]),
    'messages: every turn of the assistant says train: false',
  ],
  [
    'a turn of the user that is to be learnt',
    BARS,
    turns(['user', 'x', true], ['assistant', 'a']),
    'messages.0.train: a turn of the role "user" is to be learnt',
  ],
  [
    'a turn that cannot be found',
    '{% for m in messages %}{{ m.content | upper | length }}{% endfor %}',
    turns(['assistant', 'a']),
    'messages.0: the template shows this turn in a way that cannot be found',
  ],
  [
    'a turn of no token',
    '{% for m in messages if m.role == "user" %}{{ m.content }}{% endfor %}{% generation %}{% endgeneration %}',
    turns(['user', 'x'], ['assistant', 'a']),
    'messages: the template gives no token to learn',
  ],
])('%s is refused', async (_, template, row, message) => {
  await expect(sampleOf(template, row)).rejects.toThrow(
    `rows.jsonl:1: ${message.startsWith('the') ? 'messages: ' : ''}${message}`,
  );
});

test('behind a turn that is found by its content its closing token is learnt, and no beginning of the next turn', async () => {
  // A conversation that ends is shown otherwise than one that goes on.
  const once = (close: string) =>
    `{% for m in messages %}{{ m.role[0] }}:{{ m.content }}${close}{% endfor %}{{ '' if messages | length > 2 else '!' }}`;
  const row = turns(['user', 'q'], ['assistant', 'a'], ['user', 'r']);
  expect(await sampleOf(once('<end>'), row)).toBe('________' + '__a<end>' + '________');
  expect(await sampleOf(once('\n<|'), row)).toBe('______' + '__a___' + '______');
});
