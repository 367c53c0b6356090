/** The `bytes` tokenizer: UTF-8 as ids, byte 0 reserved, and no character cut in two while streaming. */
import { describe, expect, it } from 'vitest';
import { hashU32 } from '../../../src/data/hash.ts';
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

  it('says which units of a text each byte is of', () => {
    const { ids, begins, ends } = tokenizer.encodeSpans('a\0é👋');
    expect([...ids]).toEqual([...tokenizer.encode('a\0é👋')]);
    expect([...begins]).toEqual([0, 2, 2, 3, 3, 3, 3]);
    expect([...ends]).toEqual([1, 3, 3, 5, 5, 5, 5]);
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

describe('bytes with special tokens', () => {
  const names = ['<|im_start|>', '<|im_end|>'];
  const tokenizer = new BytesTokenizer().withSpecials(names);

  it('takes bytes for them that no text has, in the order of their names, and stays at 256 ids', () => {
    const text = '<|im_start|>user\nhé<|im_end|><|im_end|>\n<|im_start';
    const plain = [...Buffer.from('user\nhé')];
    const ids = [0xc0, ...plain, 0xc1, 0xc1, ...Buffer.from('\n<|im_start')];
    expect([...tokenizer.encode(text)]).toEqual(ids);
    expect([...tokenizer.encodeUtf8(Buffer.from(text))]).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
    expect([tokenizer.vocabSize, tokenizer.separatorId]).toEqual([256, 0]);
    expect([...names, 'user'].map((name) => tokenizer.tokenId(name))).toEqual([0xc0, 0xc1, null]);
  });

  it('says which units of a text each is of', () => {
    const { ids, begins, ends } = tokenizer.encodeSpans('👋<|im_end|>a');
    expect([...ids]).toEqual([...Buffer.from('👋'), 0xc1, 0x61]);
    expect([...begins]).toEqual([0, 0, 0, 0, 2, 12]);
    expect([...ends]).toEqual([2, 2, 2, 2, 12, 13]);
  });

  it('says of any text, in one piece, what it says of its characters and names one by one', () => {
    const parts = ['a', ' ', '\n', 'é', '漢', '👋', '\0', '\ud800', '\udc00x', '<|im_start|>', '<|im_end|>', '<|im_'];
    for (let round = 0; round < 300; round++) {
      const kinds = round % 3 === 0 ? 3 : parts.length;
      const text = Array.from({ length: round % 40 }, (_, i) => parts[hashU32(round, i) % kinds]).join('');
      const expected = [...text.matchAll(/<\|im_start\|>|<\|im_end\|>|[^]/gu)].flatMap(({ 0: part, index }) =>
        [...tokenizer.encode(part)].map((id) => [id, index, index + part.length]),
      );
      const { ids, begins, ends } = tokenizer.encodeSpans(text);
      expect(Array.from(ids, (id, at) => [id, begins[at], ends[at]])).toEqual(expected);
      expect([begins.length, ends.length]).toEqual([ids.length, ids.length]);
    }
  });

  it('gives none of their bytes for a text that does not write them, valid or not', () => {
    const many = new BytesTokenizer(Array.from({ length: 13 }, (_, i) => `<${i}>`));
    const special = new Set(Array.from({ length: 13 }, (_, i) => many.tokenId(`<${i}>`)));
    expect([...special]).toEqual([0xc0, 0xc1, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff]);
    const every = String.fromCodePoint(...Array.from({ length: 0x1100 }, (_, i) => Math.min(i * 256 + 0xff, 0x10ffff)));
    for (const text of [every, '\ud800', 'a\udfff', '\u00c0\u00ff', '< 1>']) {
      expect(many.encode(text).some((id) => special.has(id))).toBe(false);
      expect(many.encodeSpans(text).ids.some((id) => special.has(id))).toBe(false);
    }
    expect(many.encodeUtf8(Buffer.of(0x61, 0xc0, 0xff)).some((id) => special.has(id))).toBe(false);
  });

  it('takes the longer of two names that begin at one place, and a name as it is written', () => {
    const alike = new BytesTokenizer(['<s>', '<s>x', '.*']);
    expect([...alike.encode('<s>x<s>y.*')]).toEqual([0xc1, 0xc0, 0x79, 0xf5]);
  });

  it('keeps the ids of names that it has when it is given more, and leaves special tokens out where asked', () => {
    const more = tokenizer.withSpecials(['<|im_end|>', '<tool>']);
    expect(['<|im_start|>', '<|im_end|>', '<tool>'].map((name) => more.tokenId(name))).toEqual([0xc0, 0xc1, 0xf5]);
    expect(more.decode(more.encode('a<tool>b'), { skipSpecial: true })).toBe('ab');
    expect(more.decode([0xe4, 0xc0, 0x61])).toBe('\ufffd<|im_start|>a');
  });

  it('streams the name of a token at once, and what was incomplete before it', () => {
    const decoder = tokenizer.decoder();
    expect([0x61, 0xe4, 0xc1, 0x62].map((id) => decoder.push(id))).toEqual(['a', '', '\ufffd<|im_end|>', 'b']);
  });

  it('has an identity of its names in their order, and is opened again by its source', () => {
    const others = [new BytesTokenizer(), tokenizer, new BytesTokenizer(names.toReversed())];
    expect(new Set(others.map(({ identity }) => identity)).size).toBe(3);
    expect(new BytesTokenizer().identity).toBe('bytes/1');
    for (const each of others) {
      const again = loadTokenizer(each.source, '.');
      expect([again.identity, again.tokenId('<|im_end|>')]).toEqual([each.identity, each.tokenId('<|im_end|>')]);
    }
  });

  it('is cut where no name is', () => {
    expect([new BytesTokenizer(), tokenizer, new BytesTokenizer(['a b'])].map(({ cuts }) => cuts)).toEqual([
      ...['bytes', 'lines', 'whole'],
    ]);
  });

  it('refuses a 14th name, and an empty one, in one line', () => {
    const thirteen = Array.from({ length: 13 }, (_, i) => `<${i}>`);
    expect(new BytesTokenizer([...thirteen, '<0>']).tokenId('<12>')).toBe(0xff);
    expect(thrownBy(() => new BytesTokenizer(thirteen).withSpecials(['<more>']))).toHaveProperty(
      'message',
      "tokenizer 'bytes': it has room for 13 special tokens, and \"<more>\" is one more; use a template with fewer, or 'hf:<path to tokenizer.json>'",
    );
    expect(thrownBy(() => tokenizer.withSpecials(['']))).toBeInstanceOf(BadTokenizer);
  });
});
