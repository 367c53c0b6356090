/**
 * A whole `tokenizer.json` small enough to reason about: byte-level BPE with the 256 bytes as ids 0 to 255 in the order
 * of their stand-in characters, the merges `h e` (256) and `he l` (257), and `<|endoftext|>` (258), which
 * its template puts after a text wherever special tokens are asked for.
 */

/** The printable character that stands for each byte in byte-level vocabularies. */
function standIns(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
}

export function byteLevelBpe(): string {
  const vocab = Object.fromEntries(standIns().map((character, byte) => [character, byte]));
  return JSON.stringify({
    version: '1.0',
    added_tokens: [
      {
        id: 258,
        content: '<|endoftext|>',
        special: true,
        normalized: false,
        single_word: false,
        lstrip: false,
        rstrip: false,
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '<|endoftext|>', type_id: 0 } }],
      pair: [],
      special_tokens: { '<|endoftext|>': { id: '<|endoftext|>', ids: [258], tokens: ['<|endoftext|>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', vocab: { ...vocab, he: 256, hel: 257, '<|endoftext|>': 258 }, merges: ['h e', 'he l'] },
  });
}
