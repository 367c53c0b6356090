/** Text of ids as they arrive: what is decoded for each of them, and what is broken. */
import { describe, expect, it } from 'vitest';
import { DecodeStream } from '../../../src/data/tokenizers/decode_stream.ts';
import { opened, texts } from './golden.ts';

describe('a decode stream', () => {
  /** Ids that are bytes of UTF-8; above those, ids without a text. */
  const bytes = (ids: readonly number[]): string => Buffer.from(ids.filter((id) => id < 256)).toString('utf8');

  it.each([
    ['of letters', () => 0x61],
    ['of bytes that are no text', () => 0xff],
    ['without a text', () => 300],
    ['of broken characters between letters', (i: number) => (i % 2 === 0 ? 0xe4 : 0x61)],
    ['that follow a long text', () => 0x61],
  ])('decodes no more for the thousandth id than for one of the first: ids %s', (name, idOf) => {
    let decoded = 0;
    const count = (ids: readonly number[]): string => {
      decoded += ids.length;
      return bytes(ids);
    };
    const before = name === 'that follow a long text' ? Array.from({ length: 10_000 }, () => 0x62) : [];
    const stream = new DecodeStream(count, before);
    const ids = Array.from({ length: 1000 }, (_, i) => idOf(i));
    const text = ids.map((id) => stream.push(id)).join('') + stream.end();
    expect(text).toBe(bytes(ids));
    expect(decoded).toBeLessThan(30_000);
  });

  it('gives a character at once when its last byte arrives, and a broken one when the next text does', () => {
    const stream = new DecodeStream(bytes);
    const pushed = [...Buffer.from('a👋'), 0xc3, 0x62].map((id) => stream.push(id));
    expect(pushed).toEqual(['a', '', '', '', '👋', '', '\ufffdb']);
    expect(stream.push(0xe4) + stream.end()).toBe('\ufffd');
    expect(stream.push(0x63)).toBe('c');
  });

  it('gives what is new where a broken byte takes whole characters before it away', () => {
    // Of a run of byte tokens this tokenizer shows none where one is broken.
    const tokenizer = opened('llama2_like');
    const idsOf = (text: string): number[] => [...Buffer.from(text)].map((byte) => byte + 3);
    const stream = tokenizer.decoder();
    expect([...idsOf('中'), 0xff + 3, 282].map((id) => stream.push(id))).toEqual(['', '', '中', '', '\ufffd<']);
  });

  it.each(['llama2_like', 'mistral_like_metaspace', 'gpt2_5k', 'wordpiece_uncased', 'wordlevel', 'unigram_t5_like'])(
    'goes on after any beginning of a text as the whole would: %s',
    async (name) => {
      const tokenizer = opened(name);
      for (const text of texts.slice(3, 12)) {
        const ids = [...(await tokenizer.encode(text))];
        const all = tokenizer.decode(ids);
        for (let length = 0; length < ids.length; length += 3) {
          const before = tokenizer.decode(ids.slice(0, length));
          if (before.endsWith('\ufffd') || !all.startsWith(before)) continue;
          const stream = tokenizer.decoder(ids.slice(0, length));
          const after = ids.slice(length).map((id) => stream.push(id));
          expect(before + after.join('') + stream.end()).toBe(all);
        }
      }
    },
  );
});
