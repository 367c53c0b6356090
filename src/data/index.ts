/**
 * The data layer: files → documents (`corpus`) → token ids (`tokenizer`) → a stream on disk (`pack`) → batches by weight
 * (`blend`), held-out windows (`evaluation`) and the baseline on them (`order1`). Read the files in that order.
 */
export { DEFAULT_MAX_FILE_BYTES, findCorpus } from './corpus.ts';
export type { CorpusFile, CorpusFormat, CorpusSpec, FoundCorpus, SkippedFiles } from './corpus.ts';
export { Blend } from './blend.ts';
export type { BatchShape, MicrobatchShape, SequenceOrigin } from './blend.ts';
export { BytesTokenizer } from './bytes_tokenizer.ts';
export { BadBlend, BadTokenizer, DamagedPack, EmptyCorpus, PackNotWritten, UnreadableFile } from './errors.ts';
export type { CorpusWindows, HeldOutWindows } from './evaluation.ts';
export { hashText, hashU32 } from './hash.ts';
export { BLOCK_TOKENS, splitHeldOut } from './held_out.ts';
export type { HeldOutSplit, TokenRange } from './held_out.ts';
export { HfTokenizer } from './hf_tokenizer.ts';
export { loadTokenizer } from './load_tokenizer.ts';
export { Order1 } from './order1.ts';
export { packCorpus, rehearsedCorpus } from './pack.ts';
export type { PackOptions, PackResult } from './pack.ts';
export { packBlend } from './pack_blend.ts';
export type { PackedBlend, PackBlendOptions } from './pack_blend.ts';
export { PackedCorpus } from './packed_corpus.ts';
export type { PackedIndex } from './packed_index.ts';
export { memoryStream } from './token_stream.ts';
export type { TokenStream } from './token_stream.ts';
export { tokenBytes, tokenDtype } from './tokenizer.ts';
export type { TokenDecoder, TokenDtype, TokenIds, Tokenizer } from './tokenizer.ts';
