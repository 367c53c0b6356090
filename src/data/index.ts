/**
 * The data layer: files → documents (`corpus`) → token ids (`tokenizers`) → a stream on disk (`pack`, on threads) → sequences
 * by weight (`blend`, `draws`), held-out ones (`held_out_sequences`) and the baseline on them (`order1`). Rows of data → samples
 * (`rows/`). Read the files in that order.
 */
export * from './packed.ts';
export { findCorpus } from './corpus.ts';
export type { FindOptions } from './corpus.ts';
export { skippedText, tableFiles } from './found_corpus.ts';
export type { CorpusFile, CorpusSpec, FoundCorpus, SkippedFiles } from './found_corpus.ts';
export type { CorpusFormat, FileFormat } from './corpus_format.ts';
export { CHATML_TOKENS } from './rows/chat_template.ts';
export { packPlacedRows, packRows, placeRows } from './rows/pack_rows.ts';
export type { PackRowsOptions, PackRowsResult, PlacedRows } from './rows/pack_rows.ts';
export { checkRows, countRows, findRows, type RowsSpec } from './rows/rows_made.ts';
export type { RowCounts } from './rows/sampler.ts';
export type { SampledKind } from './rows/sample_task.ts';
export { BytesTokenizer } from './tokenizers/bytes_tokenizer.ts';
export { hashText, hashU32 } from './hash.ts';
export { BLOCK_TOKENS, blockTokensFor, splitHeldOut } from './held_out.ts';
export type { HeldOutSplit, TokenRange } from './held_out.ts';
export { HfTokenizer } from './tokenizers/hf_tokenizer.ts';
export { loadTokenizer } from './tokenizers/load_tokenizer.ts';
export { Order1 } from './order1.ts';
export { packCorpus } from './pack.ts';
export type { PackOptions, PackResult } from './pack.ts';
export { packBlend, rehearseBlend, withProgress } from './pack_blend.ts';
export type { PackedBlend, PackBlendOptions, PackProgress } from './pack_blend.ts';
export { PackPool } from './pack_pool.ts';
export { matchedFiles } from './matched_files.ts';
export type { MatchedFiles } from './matched_files.ts';
export { readUpTo } from './small_text.ts';
export { memoryStream } from './token_stream.ts';
export type { TokenStream } from './token_stream.ts';
export { tokenBytes, tokenDtype } from './tokenizers/tokenizer.ts';
export type {
  DecodeOptions,
  EncodeOptions,
  TokenDecoder,
  TokenDtype,
  TokenIds,
  Tokenizer,
  TokenSpans,
} from './tokenizers/tokenizer.ts';
export type { SpecialToken, SpecialTokens } from './tokenizers/special_tokens.ts';
