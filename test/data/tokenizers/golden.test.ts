/**
 * What the library that defines `tokenizer.json` gives for texts chosen to be hard, and for ids that no text has, with every
 * kind of model, normalizer, pre-tokenizer, decoder and added token: see `golden/README.md`.
 */
import { describe, expect, it } from 'vitest';
import { cuttings, PieceReader } from '../../../src/data/pieces.ts';
import { thrownBy } from '../scratch.ts';
import { asItIs, names, opened, recordOf, texts, whole } from './golden.ts';

/** Of `truncation_padding` only ids are recorded as they are without truncation and padding. */
const decodable = whole.filter((name) => name !== 'truncation_padding');

/**
 * The texts that the older of the two releases gives, where they differ: the later one shows an added token as its
 * normalizer changes it, and no longer takes it for a special one.
 */
const asOlder = <T extends { readonly tokenizers_0_22_2?: Partial<T> | undefined }>(recorded: T): T => ({
  ...recorded,
  ...recorded.tokenizers_0_22_2,
});

describe('a tokenizer.json gives the ids of the reference, with and without special tokens', () => {
  it.each(names)('%s', async (name) => {
    const tokenizer = opened(name);
    for (const { text, ids, ids_special: withSpecial = ids } of recordOf(name).cases) {
      expect([texts[text], ...(await tokenizer.encode(texts[text]))]).toEqual([texts[text], ...ids]);
      expect([...(await tokenizer.encode(texts[text], { special: true }))]).toEqual(withSpecial);
      expect(ids.every((id) => tokenizer.hasId(id))).toBe(true);
    }
  });
});

describe('it gives the texts of ids, with special tokens and without, also of ids that no text has', () => {
  it.each(decodable)('%s', (name) => {
    const tokenizer = opened(name);
    const { cases, decode_only: others } = recordOf(name);
    for (const recorded of cases.filter(({ long }) => long !== true)) {
      const { ids, ids_special: withSpecial = ids, decoded_special: shown, ...of } = asOlder(recorded);
      const text = texts[of.text];
      expect(tokenizer.decode(ids)).toBe(of.decoded ?? text);
      expect(tokenizer.decode(withSpecial)).toBe(shown ?? text);
      expect(tokenizer.decode(withSpecial, { skipSpecial: true })).toBe(of.decoded_skip ?? text);
    }
    for (const { ids, ...of } of others.map(asOlder)) {
      expect(tokenizer.decode(ids)).toBe(of.decoded);
      expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(of.decoded_skip);
    }
  });
});

describe('it says which units of the text each token is of', () => {
  it.each(decodable)('%s', async (name) => {
    const tokenizer = opened(name);
    for (const { text, ids, offsets = [] } of recordOf(name).cases.filter(({ long }) => long !== true)) {
      const spans = await tokenizer.encodeSpans(texts[text]);
      expect([...spans.ids]).toEqual(ids);
      // Recorded are code points.
      const unitOf = (point: number): number => Array.from(texts[text]).slice(0, point).join('').length;
      expect(Array.from(spans.begins, (begin, i) => [begin, spans.ends[i]])).toEqual(
        offsets.map((each) => each.map(unitOf)),
      );
    }
  });
});

it('gives a text the same ids with special tokens where it says that it puts none around it', () => {
  const said = new Set<boolean>();
  for (const name of decodable) {
    const { putsAround } = opened(name);
    said.add(putsAround);
    for (const { ids, ids_special: withSpecial = ids } of recordOf(name).cases.map(asOlder)) {
      if (!putsAround) expect(withSpecial).toEqual(ids);
    }
  }
  expect(said.size).toBe(2);
});

describe('it gives the text of ids as they arrive', () => {
  it.each(whole)('%s', (name) => {
    const tokenizer = opened(name);
    for (const { ids, chunks } of recordOf(name).decode_stream) {
      const decoder = tokenizer.decoder();
      expect(ids.map((id) => decoder.push(id))).toEqual(chunks.map((chunk) => chunk ?? ''));
    }
  });
});

it('those without a token that ends a document are refused, and the line names what is missing', () => {
  const endless = whole.filter((name) => {
    try {
      return asItIs(name).separatorId < 0;
    } catch {
      return true;
    }
  });
  expect(endless).toEqual([
    ...['behaviour_contiguous', 'behaviour_isolated', 'behaviour_merged_with_next'],
    ...['behaviour_merged_with_previous', 'behaviour_removed', 'bpe_word_suffix', 'unigram_byte_fallback'],
  ]);
  expect(thrownBy(() => asItIs(endless[0]))).toHaveProperty(
    'message',
    "tokenizer 'hf:behaviour_contiguous': it names no eos_token, and none of </s> <|endoftext|> <|end_of_text|> <eos> <|eos|> [SEP] " +
      'is in its vocabulary; put an eos_token of its vocabulary into tokenizer_config.json beside it',
  );
});

describe('a text cut at its lines has the ids of the whole', () => {
  const byLines = [
    ...['added_id_not_honoured', 'bpe_word_suffix', 'gpt2_5k', 'gpt2_legacy_fields', 'gpt2_small', 'llama3_like_5k'],
    ...['noncontiguous_ids', 'qwen_like_nfc', 'truncation_padding', 'whitespace_unicode', 'wordlevel'],
    ...['wordlevel_unknown', 'wordpiece_cased', 'wordpiece_uncased'],
  ];

  it('with the tokenizers that are known to allow it, and no others', () => {
    expect(names.filter((name) => opened(name).cuts === 'lines').sort()).toEqual(byLines);
  });

  it.each(byLines)('%s', async (name) => {
    const tokenizer = opened(name);
    const reader = new PieceReader();
    const lines = texts.flatMap((text) => text.split('\n'));
    const text = Buffer.from([...lines.map((line) => `${line}\nx${line}`), ...texts, 'end'].join('\n'));
    const parts: number[] = [];
    let pieces = 0;
    // At every line break that may be cut.
    for await (const piece of reader.cut(text, { ...cuttings.lines, target: 1 })) {
      parts.push(...(await tokenizer.encodeUtf8(Buffer.from(piece))));
      pieces++;
    }
    expect(pieces).toBeGreaterThan(100);
    expect(parts).toEqual([...(await tokenizer.encodeUtf8(text))]);
  });
});
