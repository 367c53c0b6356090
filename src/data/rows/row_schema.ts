/**
 * The forms that rows have in files, one schema each. They say what a form's keys hold; which form a row has is decided in
 * `row_kind.ts`, by its keys alone.
 */
import { z } from 'zod';
import { plainNumber } from './row_json.ts';

const text = z.string('it is no text');

/** Content is text, or parts such as `{type: text, text}`; a call of a tool may have none. */
const content = z.union(
  [z.string(), z.array(z.looseObject({ type: z.string() }))],
  'it is neither text nor a list of parts',
);

/** A message of any of the two spellings: `role` and `content`, or `from` and `value`. */
export const messageSchema = z.looseObject({
  role: text.optional(),
  content: content.nullish(),
  from: text.optional(),
  value: content.nullish(),
  train: z.boolean('it is neither true nor false').optional(),
});

const messages = z.array(messageSchema, 'it is no list of messages').min(1, 'it has no message');
const textOrMessages = z.union([z.string(), messages], 'it is neither text nor a list of messages');
const plain = z.number('it is no number');
const number = z.preprocess(plainNumber, plain);

/** What any conversation may have beside its messages. */
const extras = {
  tools: z.array(z.unknown(), 'it is no list').nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown(), 'it is no object').nullish(),
};

export const textSchema = z.looseObject({ text });

export const messagesSchema = z.looseObject({ messages, ...extras });
export const conversationsSchema = z.looseObject({ conversations: messages, ...extras });
export const completionSchema = z.looseObject({ prompt: textOrMessages, completion: textOrMessages, ...extras });
export const instructionSchema = z.looseObject({
  instruction: text,
  input: text.nullish(),
  output: text,
  system: text.nullish(),
  history: z.array(z.tuple([z.string(), z.string()], 'it is no pair of two texts'), 'it is no list of pairs').nullish(),
});

const judgement = {
  chosen_reward: number.nullish(),
  rejected_reward: number.nullish(),
  margin: number.nullish(),
};

export const pairSchema = z.looseObject({
  prompt: textOrMessages.nullish(),
  chosen: textOrMessages,
  rejected: textOrMessages,
  ...judgement,
  ...extras,
});
export type PairForm = z.output<typeof pairSchema>;

export const rankedSchema = z.looseObject({
  context: textOrMessages,
  completions: z
    .array(
      z.looseObject({ rank: number, completion: textOrMessages, reward: number.nullish() }),
      'it is no list of completions',
    )
    .min(2, 'it has fewer than two answers'),
  ...extras,
});

const attribute = z.preprocess(plainNumber, plain.min(0, 'it is below 0').max(4, 'it is above 4').nullish());

export const attributesSchema = z.looseObject({
  prompt: textOrMessages,
  response: text,
  helpfulness: attribute,
  correctness: attribute,
  coherence: attribute,
  complexity: attribute,
  verbosity: attribute,
  ...extras,
});

/** The keys that a row's values may be found under, and that `columns` maps to those of a file. */
export const COLUMNS = [
  ...['text', 'messages', 'conversations', 'tools', 'chat_template_kwargs', 'prompt', 'completion'],
  ...['instruction', 'input', 'output', 'system', 'history', 'chosen', 'rejected', 'chosen_reward', 'rejected_reward'],
  ...['margin', 'context', 'completions', 'response'],
  ...['helpfulness', 'correctness', 'coherence', 'complexity', 'verbosity'],
] as const;
