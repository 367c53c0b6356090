/**
 * What is packed, and the sequences that are drawn from it. It is apart from the rest of the data layer, so that a worker
 * thread, which packs nothing and reads no text, does not load the packing, the tokenizers and the templates.
 */
export { Blend, blendDigest, checkBlend } from './blend.ts';
export { Draws, type DrawnSequence } from './draws.ts';
export { AllSequences, evaluatedRows, evaluatedText, HeldOutSequences } from './held_out_sequences.ts';
export type { EvaluatedSequences, EvaluatedSource } from './held_out_sequences.ts';
export { openPacked } from './open_packed.ts';
export type { Sequence, SequenceSource } from './sequence.ts';
export { textSequences } from './text_sequences.ts';
export { packTokenBytes, readTokenBytes, type PackedTokenBytes } from './packed_token_bytes.ts';
export { PackedRows } from './rows/packed_rows.ts';
export { RowSequences, rowSequences } from './rows/row_sequences.ts';
export { PackedCorpus } from './packed_corpus.ts';
export type { PackedIndex } from './packed_index.ts';
export {
  BadBlend,
  BadTokenizer,
  DamagedPack,
  EmptyCorpus,
  PackNotWritten,
  TextNotEncoded,
  UnreadableFile,
} from './errors.ts';
