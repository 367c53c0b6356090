/** Bytes of text by token: those of a text's ids add up to the text, or to what the tokenizer can give back of it. */
import { describe, expect, it } from 'vitest';
import { BytesTokenizer, type Tokenizer } from '../../../src/data/index.ts';
import { names, opened, recordOf, texts } from './golden.ts';

/** Bytes of the tokens of text `t`; of what of it is no special token; and of what decoding them gives. */
async function countsOf(tokenizer: Tokenizer, text: string, bytes = tokenizer.byteCounts()) {
  const ids = [...(await tokenizer.encode(text))];
  const silent = ids.filter((id) => bytes[id] === 0);
  const names = silent.reduce((sum, id) => sum + Buffer.byteLength(tokenizer.decode([id])), 0);
  const spoken = ids.filter((id) => bytes[id] > 0);
  return {
    counted: ids.reduce((sum, id) => sum + bytes[id], 0),
    written: Buffer.byteLength(text) - names,
    decoded: Buffer.byteLength(tokenizer.decode(spoken)),
  };
}

const exact = [
  ...['added_id_not_honoured', 'digits_split', 'gpt2_5k', 'gpt2_legacy_fields', 'gpt2_small', 'llama3_like_5k'],
  ...['noncontiguous_ids', 'single_word', 'split_contiguous', 'split_merged_with_next', 'split_merged_with_previous'],
  ...['split_sequence', 'truncation_padding', 'unigram_bytes_of_unknown', 'whitespace_unicode'],
];

/** Those that lose or add something, and the count is of what they give back. */
const changed: Readonly<Record<string, string>> = {
  byte_prefix_space_roberta: 'puts a space before a text, and keeps it',
  bytelevel_normalizer: 'strips a text',
  metaspace_never_unk: 'leaves out what it does not know',
  qwen_like_nfc: 'composes characters',
  unicode_scripts: 'has no token for a lone space',
};

/** Those that lose or add something, and decoding drops the space before a text or behind it besides. */
const spaced: Readonly<Record<string, string>> = {
  bpe_word_suffix: 'ends each word with a space',
  llama2_like: 'puts a space before a text',
  metaspace_old_fields: 'puts a space before a text, and has a special token for what it does not know',
  mistral_like_metaspace: 'puts a space before a text and takes its own mark for one',
  unigram_byte_fallback: 'composes characters and puts a space before a text',
  unigram_t5_like: 'composes characters, joins spaces and puts one before a text',
  wordpiece_cased: 'begins each word with a space',
  wordpiece_uncased: 'begins each word with a space, and drops accents and case',
};

/** Those whose files do not say how tokens become text: each counts as it is written. */
const unsaid: Readonly<Record<string, string>> = {
  added_token_flags_lower: 'takes the spaces beside a token into it',
  added_token_flags_plain: 'takes the spaces beside a token into it',
  behaviour_contiguous: 'has no decoder',
  behaviour_isolated: 'has no decoder',
  behaviour_merged_with_next: 'has no decoder',
  behaviour_merged_with_previous: 'has no decoder',
  behaviour_removed: 'has no decoder',
  split_removed: 'has no decoder and drops spaces',
  wordlevel: 'has no decoder and drops spaces',
  wordlevel_unknown: 'has no decoder and drops spaces',
};

it('is known of every tokenizer', () => {
  expect([...exact, ...Object.keys({ ...changed, ...spaced, ...unsaid })].sort()).toEqual([...names].sort());
});

describe('adds up to the bytes of a text, but for special tokens', () => {
  it.each(exact)('%s', async (name) => {
    const tokenizer = opened(name);
    const bytes = tokenizer.byteCounts();
    for (const { text } of recordOf(name).cases) {
      const { counted, written } = await countsOf(tokenizer, texts[text], bytes);
      expect([texts[text], counted]).toEqual([texts[text], written]);
    }
  });

  it('bytes, with names and without', async () => {
    for (const text of texts.map((each) => each.replaceAll('\0', ''))) {
      expect(await countsOf(new BytesTokenizer(), text)).toMatchObject({ counted: Buffer.byteLength(text) });
    }
    const named = new BytesTokenizer(['<|im_start|>', '<|im_end|>']);
    expect(await countsOf(named, '<|im_start|>user\nhé<|im_end|>')).toMatchObject({ counted: 8 });
  });
});

describe('adds up to what a tokenizer that loses some of a text gives back of it', () => {
  it.each(Object.keys(changed))('%s', async (name) => {
    const tokenizer = opened(name);
    const bytes = tokenizer.byteCounts();
    for (const { text } of recordOf(name).cases) {
      const { counted, decoded } = await countsOf(tokenizer, texts[text], bytes);
      expect([texts[text], counted]).toEqual([texts[text], decoded]);
    }
  });
});

describe('adds up to that, and a space where there was a word', () => {
  it.each(Object.keys(spaced))('%s', async (name) => {
    const tokenizer = opened(name);
    const bytes = tokenizer.byteCounts();
    for (const { text } of recordOf(name).cases) {
      const { counted, decoded } = await countsOf(tokenizer, texts[text], bytes);
      expect(counted - decoded).toBeOneOf([0, 1]);
    }
  });
});

it('counts no token of those without a decoder for more than it is written with', () => {
  for (const name of Object.keys(unsaid)) {
    const tokenizer = opened(name);
    const bytes = tokenizer.byteCounts();
    expect(bytes).toHaveLength(tokenizer.vocabSize);
    for (const [id, count] of bytes.entries()) {
      if (tokenizer.hasId(id)) expect(count).toBeLessThanOrEqual(Buffer.byteLength(tokenizer.decode([id])));
    }
  }
});
