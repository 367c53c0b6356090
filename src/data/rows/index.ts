/**
 * Rows of data: files → rows (`row_reader`, told apart in `row_kind`) → samples (`sampler`), conversations by way of a chat
 * template (`chat_template`, `turns`). Read the files in that order; `jinja/` is the language of the templates.
 */
export { CHATML_TOKENS, ChatTemplate, type TemplateOptions } from './chat_template.ts';
export { answerEnds, userTurn } from './chat_prompt.ts';
export { ATTRIBUTES } from './row.ts';
export type { AttributeRow, ChatRow, Conversation, Message, PreferenceRow, Row, RowKind, TextRow } from './row.ts';
export { BadChatTemplate, BadRow, UnreadableRows, type RowPlace } from './row_error.ts';
export { ANY_ROWS, rowOf, type RowFormat } from './row_kind.ts';
export { readRows, readRowTexts, type PlacedRow, type ReadOptions } from './row_reader.ts';
export { COLUMNS } from './row_schema.ts';
export { RowStatistics } from './row_statistics.ts';
export { streaming, type RowTokenizer } from './row_tokenizer.ts';
export { measuresOf } from './rows_made.ts';
export type { Sample, SampleOptions, TrainOn } from './sample.ts';
export { SAMPLER_DEFAULTS, Sampler } from './sampler.ts';
export type { AttributeSample, PreferencePair, RowCounts, SamplerOptions } from './sampler.ts';
