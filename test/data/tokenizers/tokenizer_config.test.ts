/** What lies beside a `tokenizer.json`: names of special tokens, and chat templates. */
import { describe, expect, it } from 'vitest';
import { BadTokenizer, loadTokenizer, type Tokenizer } from '../../../src/data/index.ts';
import { scratchFolder, thrownBy } from '../scratch.ts';
import { byteLevelBpe } from './byte_level_bpe.ts';
import { asItIs } from './golden.ts';

/** A tokenizer with these files beside it; what is no text is JSON. */
function beside(files: Readonly<Record<string, unknown>>): Tokenizer {
  const texts: Record<string, string> = { 'tokenizer.json': byteLevelBpe() };
  for (const [name, content] of Object.entries(files)) {
    texts[name] = typeof content === 'string' ? content : JSON.stringify(content);
  }
  return loadTokenizer('hf:tokenizer.json', scratchFolder(texts));
}

describe('special tokens', () => {
  it('are those that tokenizer_config.json names, by text and id', () => {
    const { specialTokens } = asItIs('llama3_like_5k');
    expect(specialTokens).toEqual({
      bos: { content: '<|bos|>', id: 5003 },
      eos: { content: '<|eot|>', id: 5007 },
      pad: { content: '<|pad|>', id: 5008 },
      unk: null,
      sep: null,
      cls: null,
      mask: null,
    });
  });

  it('are those of special_tokens_map.json where the other file names none', () => {
    const tokenizer = beside({
      'tokenizer_config.json': { bos_token: 'he', eos_token: null },
      'special_tokens_map.json': { bos_token: 'hel', eos_token: { content: 'hel', lstrip: false }, pad_token: 'h' },
    });
    expect(tokenizer.specialTokens).toMatchObject({
      bos: { id: 256 },
      eos: { content: 'hel', id: 257 },
      pad: { id: 0x68 },
    });
    expect(tokenizer.separatorId).toBe(257);
    // The ids of packed texts follow the separator.
    const other = beside({ 'special_tokens_map.json': { eos_token: 'he' } });
    expect(other.identity).not.toBe(beside({ 'special_tokens_map.json': { eos_token: 'hel' } }).identity);
    expect(beside({ 'special_tokens_map.json': { pad_token: 'he' } }).identity).toBe(beside({}).identity);
  });

  it('end a text with the well-known separator where no file names one', () => {
    const { specialTokens, separatorId } = beside({});
    expect(specialTokens.eos).toEqual({ content: '<|endoftext|>', id: 258 });
    expect([separatorId, specialTokens.bos]).toEqual([258, null]);
  });

  it('have an id by their text, and no id of a gap or past the last one is a token', () => {
    const tokenizer = beside({});
    expect(['<|endoftext|>', 'he', 'nowhere'].map((text) => tokenizer.tokenId(text))).toEqual([258, 256, null]);
    expect([0, 258, 259, -1].map((id) => tokenizer.hasId(id))).toEqual([true, true, false, false]);
    const gaps = asItIs('noncontiguous_ids');
    const missing = Array.from({ length: gaps.vocabSize }, (_, id) => id).filter((id) => !gaps.hasId(id));
    expect(missing.length).toBeGreaterThan(0);
    expect(gaps.hasId(gaps.vocabSize - 1)).toBe(true);
  });
});

describe('a chat template', () => {
  const both = [
    { name: 'default', template: 'one' },
    { name: 'tool_use', template: 'two' },
  ];

  it.each<[string, object, string | null, string | null]>([
    ['is absent', {}, null, null],
    ['is a text', { chat_template: 'one' }, 'one', null],
    ['is one of a list', { chat_template: both }, 'one', 'two'],
    ['is missing in a list', { chat_template: both.slice(1) }, null, 'two'],
  ])('of tokenizer_config.json %s', (_, config, chat, tool) => {
    const tokenizer = beside({ 'tokenizer_config.json': config });
    expect([tokenizer.chatTemplate, tokenizer.toolTemplate]).toEqual([chat, tool]);
  });

  it('in a file of its own wins over all of those', () => {
    const own = { 'tokenizer_config.json': { chat_template: both }, 'chat_template.jinja': 'own\n' };
    expect(beside(own)).toMatchObject({ chatTemplate: 'own\n', toolTemplate: null });
    const tool = { 'additional_chat_templates/tool_use.jinja': 'tool' };
    expect(beside({ ...own, ...tool })).toMatchObject({ chatTemplate: 'own\n', toolTemplate: 'tool' });
  });
});

it.each([
  [
    'a token of the wrong kind',
    { eos_token: 3 },
    /eos_token: it is neither a text nor a token; check data\.tokenizer$/,
  ],
  [
    'a template of the wrong kind',
    { chat_template: 3 },
    /chat_template: it is neither a template nor a list of \{name, template\}/,
  ],
  [
    'a token that is in no vocabulary',
    { bos_token: '<start>' },
    /tokenizer_config\.json has the bos_token "<start>", which is not in its vocabulary; name one that is, or add it to added_tokens/,
  ],
])('%s is refused in one line', (_, config, message) => {
  const error = thrownBy(() => beside({ 'tokenizer_config.json': config }));
  expect(error).toBeInstanceOf(BadTokenizer);
  expect(error).toHaveProperty('message', expect.stringMatching(message));
  expect(error).toHaveProperty('message', expect.not.stringContaining('\n'));
});
