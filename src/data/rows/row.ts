/**
 * A row of data: one example to learn from, in the form that all files of its kind are brought to. A conversation has its
 * messages as the file has them, since templates may look at any field of them.
 */

export type RowKind = 'text' | 'chat' | 'preference' | 'attributes';

/** A turn of a conversation. */
export interface Message {
  readonly role: string;
  /** Whether it is to be learnt; null where the row does not say, and its role decides. */
  readonly train: boolean | null;
  /** What the template sees: `role`, `content` and any other field. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a template sees beside the messages. */
export interface TemplateExtras {
  readonly tools: readonly unknown[] | null;
  /** From the row's `chat_template_kwargs`. */
  readonly variables: Readonly<Record<string, unknown>>;
}

export interface Conversation extends TemplateExtras {
  readonly messages: readonly Message[];
  /** How many messages at the beginning are the prompt, of which nothing is learnt. */
  readonly promptLength: number;
}

export interface TextRow {
  readonly kind: 'text';
  readonly text: string;
}

export interface ConversationRow {
  readonly kind: 'chat';
  readonly form: 'conversation';
  readonly conversation: Conversation;
}

/** A prompt and what follows it, both plain text that no template touches. */
export interface CompletionRow {
  readonly kind: 'chat';
  readonly form: 'completion';
  readonly prompt: string;
  readonly completion: string;
}

/** What a preference row may say of its answers. */
export interface Judgement {
  readonly chosenReward: number | null;
  readonly rejectedReward: number | null;
  readonly margin: number | null;
}

export interface PreferenceTextRow extends Judgement {
  readonly kind: 'preference';
  readonly form: 'completion';
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/** The two conversations share their prompt. */
export interface PreferenceConversationRow extends Judgement {
  readonly kind: 'preference';
  readonly form: 'conversation';
  readonly chosen: Conversation;
  readonly rejected: Conversation;
}

export type PreferenceRow = PreferenceTextRow | PreferenceConversationRow;

export const ATTRIBUTES = ['helpfulness', 'correctness', 'coherence', 'complexity', 'verbosity'] as const;

export interface AttributeRow {
  readonly kind: 'attributes';
  readonly conversation: Conversation;
  /** By `ATTRIBUTES`, 0 to 4; NaN where the row has none. */
  readonly labels: Float32Array;
}

export type ChatRow = ConversationRow | CompletionRow;
export type Row = TextRow | ChatRow | PreferenceRow | AttributeRow;
