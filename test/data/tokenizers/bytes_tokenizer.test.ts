/** The `bytes` tokenizer: UTF-8 as ids, byte 0 reserved, and no character cut in two while streaming. */
import { describe, expect, it } from 'vitest';
import { BadTokenizer, BytesTokenizer, loadTokenizer, tokenDtype } from '../../../src/data/index.ts';
import { thrownBy } from '../scratch.ts';

describe('bytes tokenizer', () => {
  const tokenizer = new BytesTokenizer();

  it('takes the bytes of UTF-8 as ids and gives the text back', () => {
    expect([...tokenizer.encode('aé')]).toEqual([0x61, 0xc3, 0xa9]);
    const text = '\ufeffGrüße, 世界 👋\r\n';
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it('drops byte 0 inside a document, because it ends one', () => {
    expect([...tokenizer.encode('a\0b\0')]).toEqual([0x61, 0x62]);
    expect(tokenizer.separatorId).toBe(0);
  });

  it('streams text as soon as a character is whole', () => {
    const decoder = tokenizer.decoder();
    const pushed = [...tokenizer.encode('a👋b')].map((id) => decoder.push(id));
    expect(pushed).toEqual(['a', '', '', '', '👋', 'b']);
    expect(decoder.end()).toBe('');
  });

  it('replaces what is not UTF-8 and goes on', () => {
    expect(tokenizer.decode([0xff, 0x61])).toBe('\ufffda');
    const decoder = tokenizer.decoder();
    expect([0xc3, 0x61].map((id) => decoder.push(id))).toEqual(['', '\ufffda']);
    decoder.push(0xe4);
    expect(decoder.end()).toBe('\ufffd');
    expect(decoder.push(0x62)).toBe('b');
  });

  it('is loaded by its name, and an unknown name says which there are', () => {
    expect(loadTokenizer('bytes', '.').vocabSize).toBe(256);
    const error = thrownBy(() => loadTokenizer('words', '.'));
    expect(error).toBeInstanceOf(BadTokenizer);
    expect(error).toHaveProperty(
      'message',
      "tokenizer 'words': there is no such tokenizer; use 'bytes' or 'hf:<path to tokenizer.json>'",
    );
  });

  it('is stored in the narrowest width that holds the vocabulary', () => {
    expect([256, 257, 65_536, 65_537].map(tokenDtype)).toEqual(['u8', 'u16', 'u16', 'u32']);
  });
});
