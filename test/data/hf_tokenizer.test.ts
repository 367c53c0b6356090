/** A Hugging Face `tokenizer.json`, read from disk with or without the configuration beside it. */
import { describe, expect, it } from 'vitest';
import { BadTokenizer, loadTokenizer } from '../../src/data/index.ts';
import { byteLevelBpe } from './byte_level_bpe.ts';
import { scratchFolder, thrownBy } from './scratch.ts';

describe('Hugging Face tokenizer', () => {
  it('encodes by its merges, without special tokens, and decodes again', () => {
    const tokenizer = loadTokenizer('hf:tok/tokenizer.json', scratchFolder({ 'tok/tokenizer.json': byteLevelBpe() }));
    expect(tokenizer.vocabSize).toBe(259);
    expect(tokenizer.encode('hello he')).toEqual(Uint16Array.of(257, 0x6c, 0x6f, 0x20, 256));
    expect(tokenizer.decode(tokenizer.encode('hello, 世界'))).toBe('hello, 世界');
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

  it('streams text without cutting characters in two', () => {
    const tokenizer = loadTokenizer('hf:tokenizer.json', scratchFolder({ 'tokenizer.json': byteLevelBpe() }));
    const decoder = tokenizer.decoder();
    expect([...tokenizer.encode('hé!')].map((id) => decoder.push(id))).toEqual(['h', '', 'é', '!']);
    decoder.push(0xe4);
    expect(decoder.end()).toBe('\ufffd');
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
      'has no separator',
      { 'tokenizer.json': byteLevelBpe(), 'tokenizer_config.json': '{"eos_token":"<stop>"}' },
      /none of <stop> is in its vocabulary; put an eos_token .* into tokenizer_config\.json beside it$/,
    ],
  ])('refuses a file that %s, in one line with a remedy', (_, files: Record<string, string>, message) => {
    const error = thrownBy(() => loadTokenizer('hf:tokenizer.json', scratchFolder(files)));
    expect(error).toBeInstanceOf(BadTokenizer);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
    expect(error).toHaveProperty('message', expect.not.stringContaining('\n'));
  });
});
