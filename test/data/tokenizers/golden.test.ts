/**
 * Ids that the library which defines `tokenizer.json` gives for texts chosen to be hard, recorded in `golden/tokenizers/ids.json`
 * for the files beside it: every kind of model, normalizer, pre-tokenizer and added token.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HfTokenizer } from '../../../src/data/index.ts';
import { cuttings, PieceReader } from '../../../src/data/pieces.ts';
import { scratchFolder } from '../scratch.ts';

const recorded = z
  .object({
    texts: z.array(z.string()),
    /** By tokenizer: the number of a text, then its ids. */
    ids: z.record(z.string(), z.array(z.array(z.int()))),
  })
  .parse(JSON.parse(readFileSync(new URL('../golden/tokenizers/ids.json', import.meta.url), 'utf8')));

/** With an end-of-document token, which packing needs, whatever the file has. */
function opened(name: string): HfTokenizer {
  const text = readFileSync(new URL(`../golden/tokenizers/${name}/tokenizer.json`, import.meta.url), 'utf8');
  const { vocab } = z.object({ model: z.object({ vocab: z.unknown() }) }).parse(JSON.parse(text)).model;
  const eos: unknown = Array.isArray(vocab)
    ? z.array(z.tuple([z.string(), z.number()])).parse(vocab)[0][0]
    : Object.keys(vocab ?? {})[0];
  const folder = scratchFolder({ 'tokenizer.json': text, 'tokenizer_config.json': JSON.stringify({ eos_token: eos }) });
  return new HfTokenizer(`${folder}/tokenizer.json`);
}

describe('a tokenizer.json gives the ids of the reference', () => {
  it.each(Object.entries(recorded.ids))('%s', async (name, cases) => {
    const tokenizer = opened(name);
    for (const [text, ...ids] of cases) {
      expect([recorded.texts[text], ...(await tokenizer.encode(recorded.texts[text]))]).toEqual([
        recorded.texts[text],
        ...ids,
      ]);
    }
  });
});

describe('a text cut at its lines has the ids of the whole', () => {
  const byLines = [
    ...[
      'added_id_not_honoured',
      'bpe_word_suffix',
      'gpt2_5k',
      'gpt2_legacy_fields',
      'gpt2_small',
      'llama3_like_5k',
      'noncontiguous_ids',
    ],
    ...['qwen_like_nfc', 'truncation_padding', 'whitespace_unicode', 'wordlevel', 'wordlevel_unknown'],
    ...['wordpiece_cased', 'wordpiece_uncased'],
  ];

  it('with the tokenizers that are known to allow it, and no others', () => {
    expect(
      Object.keys(recorded.ids)
        .filter((name) => opened(name).cuts === 'lines')
        .sort(),
    ).toEqual(byLines);
  });

  it.each(byLines)('%s', async (name) => {
    const tokenizer = opened(name);
    const reader = new PieceReader();
    const lines = recorded.texts.flatMap((text) => text.split('\n'));
    const text = Buffer.from([...lines.map((line) => `${line}\nx${line}`), ...recorded.texts, 'end'].join('\n'));
    const parts: number[] = [];
    let pieces = 0;
    // At every line break that may be cut.
    for (const piece of reader.cut(text, { ...cuttings.lines, target: 1 })) {
      parts.push(...(await tokenizer.encodeUtf8(Buffer.from(piece))));
      pieces++;
    }
    expect(pieces).toBeGreaterThan(100);
    expect(parts).toEqual([...(await tokenizer.encodeUtf8(text))]);
  });
});
