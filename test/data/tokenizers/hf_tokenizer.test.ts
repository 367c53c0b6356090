/** A Hugging Face `tokenizer.json`, read from disk with or without the configuration beside it. */
import { readFileSync, truncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BadTokenizer, TextNotEncoded, loadTokenizer } from '../../../src/data/index.ts';
import { byteLevelBpe } from './byte_level_bpe.ts';
import { opened } from './golden.ts';
import { rejectionOf, scratchFolder, thrownBy } from '../scratch.ts';

describe('Hugging Face tokenizer', () => {
  it('encodes by its merges, without special tokens, and decodes again', async () => {
    const tokenizer = loadTokenizer('hf:tok/tokenizer.json', scratchFolder({ 'tok/tokenizer.json': byteLevelBpe() }));
    expect(tokenizer.vocabSize).toBe(259);
    expect(await tokenizer.encode('hello he')).toEqual(Uint16Array.of(257, 0x6c, 0x6f, 0x20, 256));
    expect(tokenizer.decode(await tokenizer.encode('hello, 世界'))).toBe('hello, 世界');
    expect(tokenizer.decode([])).toBe('');
  });

  it('finds a well-known separator without a configuration, and takes the configured one before it', () => {
    const plain = scratchFolder({ 'tokenizer.json': byteLevelBpe() });
    expect(loadTokenizer('hf:tokenizer.json', plain).separatorId).toBe(258);
    for (const eos of ['he', { content: 'he' }]) {
      const config = JSON.stringify({ eos_token: eos });
      const folder = scratchFolder({ 'tokenizer.json': byteLevelBpe(), 'tokenizer_config.json': config });
      expect(loadTokenizer('hf:tokenizer.json', folder).separatorId).toBe(256);
    }
  });

  it('streams text without cutting characters in two', async () => {
    const tokenizer = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': byteLevelBpe() }));
    const decoder = tokenizer.decoder();
    expect([...(await tokenizer.encode('hé!'))].map((id) => decoder.push(id))).toEqual(['h', '', 'é', '!']);
    decoder.push(0xe4);
    expect(decoder.end()).toBe('\ufffd');
  });

  it('goes on where the text before ended, with the space that some files put into the next word', async () => {
    const text = readFileSync(new URL('../golden/tokenizers/llama2_like/tokenizer.json', import.meta.url));
    const tokenizer = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': text }));
    const all = [...(await tokenizer.encode('the model'))];
    const before = [...(await tokenizer.encode('the'))];
    expect(all.slice(0, before.length)).toEqual(before);
    const decoder = tokenizer.decoder(before);
    const after = all.slice(before.length).map((id) => decoder.push(id));
    expect(after.join('') + decoder.end()).toBe(' model');
  });

  it.each([
    // é of two code points becomes one before it is read: the accent's place is nobody's.
    ['qwen_like_nfc', '👋 Cafe\u0301!', ['👋', ' C', 'a', 'f', 'e', '!']],
    // It reads a sign for the space, and bytes for what its vocabulary has not.
    ['llama2_like', 'é👋 the', ['é', '👋', ' the']],
    // One sign becomes two letters, each of them in another token.
    ['unigram_t5_like', 'the ﬁx', ['the', ' ﬁ', 'ﬁ', 'x']],
  ])('says of which part of a text each token is, though %s reads another text', async (name, text, parts) => {
    const { begins, ends } = await opened(name).encodeSpans(text);
    const found = Array.from(begins, (begin, i) => text.slice(begin, ends[i]));
    expect(found.filter((_, i) => begins[i] !== begins[i - 1])).toEqual(parts);
  });

  it('puts around a text what its file puts there, where that is asked for', async () => {
    const tokenizer = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': byteLevelBpe() }));
    expect([...(await tokenizer.encode('he', { special: true }))]).toEqual([256, 258]);
    expect(tokenizer.decode([256, 258], { skipSpecial: true })).toBe('he');
  });

  it('names text and file where it has no id for something', async () => {
    const model = { type: 'WordLevel', vocab: { '</s>': 0, hello: 1 }, unk_token: '[UNK]' };
    const json = JSON.stringify({ model, pre_tokenizer: { type: 'WhitespaceSplit' }, added_tokens: [] });
    const folder = scratchFolder({ 'tokenizer.json': json });
    const tokenizer = loadTokenizer('hf:tokenizer.json', folder);
    expect(await tokenizer.encode('hello')).toEqual(Uint8Array.of(1));
    const error = await rejectionOf(Promise.resolve(tokenizer.encode('hello zebra')));
    expect(error).toBeInstanceOf(TextNotEncoded);
    expect(error).toHaveProperty(
      'message',
      expect.stringMatching(
        /^tokenizer 'hf:tokenizer\.json': .*tokenizer\.json gives no ids for "hello zebra": .+; give it a token for what it does not know$/,
      ),
    );
  });

  it('reads a file with a byte order mark as the same file', () => {
    const plain = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': byteLevelBpe() }));
    const marked = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': `\ufeff${byteLevelBpe()}` }));
    expect(marked.identity).toBe(plain.identity);
  });

  it('refuses a file of any size in one line', () => {
    const folder = scratchFolder({ 'tokenizer.json': '' });
    // A hole: no disk is written.
    truncateSync(`${folder}/tokenizer.json`, 3 * 2 ** 30);
    expect(thrownBy(() => loadTokenizer('hf:tokenizer.json', folder))).toHaveProperty(
      'message',
      expect.stringMatching(
        /^tokenizer 'hf:tokenizer\.json': cannot read .*: it has more than 256 MiB; check data\.tokenizer$/,
      ),
    );
  });

  it('has an identity that follows its file and not its place', () => {
    const a = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': byteLevelBpe() }));
    const b = loadTokenizer('hf:x/tokenizer.json', scratchFolder({ 'x/tokenizer.json': byteLevelBpe() }));
    const c = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': `${byteLevelBpe()} ` }));
    expect(b.identity).toBe(a.identity);
    expect(c.identity).not.toBe(a.identity);
  });

  it.each([
    ['is missing', {}, /cannot read .*tokenizer\.json: ENOENT.*; check data\.tokenizer$/],
    ['is not JSON', { 'tokenizer.json': '{' }, /is no tokenizer file.*; check data\.tokenizer$/],
    ['has no model', { 'tokenizer.json': '{}' }, /is no tokenizer file: model: .+; check data\.tokenizer$/],
    ['has an unknown model', { 'tokenizer.json': '{"model":{"type":"Magic"}}' }, /is not understood/],
    [
      'has a huge id',
      { 'tokenizer.json': byteLevelBpe().replace('"he":256', `"he":${2 ** 31}`) },
      /gives the token "he" the id 2147483648; every id up to it is a row of the model: give ids up to 16777215$/,
    ],
    [
      'has dropout',
      { 'tokenizer.json': byteLevelBpe().replace('"merges"', '"dropout":0.1,"merges"') },
      /has a model with dropout 0\.1, which gives a text other ids each time; set its model\.dropout to null$/,
    ],
    ['is UTF-16', { 'tokenizer.json': Buffer.from('\ufeff{}', 'utf16le') }, /it is UTF-16, not UTF-8 text; check/],
    [
      'has no separator',
      { 'tokenizer.json': byteLevelBpe(), 'tokenizer_config.json': '{"eos_token":"<stop>"}' },
      /tokenizer_config\.json has the eos_token "<stop>", which is not in its vocabulary; name one that is, or add it to added_tokens in the tokenizer\.json$/,
    ],
  ])('refuses a file that %s, in one line with a remedy', (_, files: Record<string, string | Uint8Array>, message) => {
    const error = thrownBy(() => loadTokenizer('hf:tokenizer.json', scratchFolder(files)));
    expect(error).toBeInstanceOf(BadTokenizer);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
    expect(error).toHaveProperty('message', expect.not.stringContaining('\n'));
  });
});
