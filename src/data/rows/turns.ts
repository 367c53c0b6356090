/**
 * Where in the text of a conversation its turns stand. A template may mark the assistant's turns itself. Else a turn is
 * what the text grows by when the conversation is cut behind it; and where the text of a cut conversation is not how the
 * whole begins, it is what changes with the turn's content.
 */
import { TemplateFault, type ChatTemplate, type Rendered, type Span } from './chat_template.ts';
import { textMessage } from './conversation.ts';
import type { Conversation, Message } from './row.ts';
import { BadRow, type RowPlace } from './row_error.ts';

/** How the turns of a text were found. */
export type FoundBy = 'marks' | 'growth' | 'content';

export interface Turns {
  readonly text: string;
  /** Of the messages that were asked for, by their index. */
  readonly spans: ReadonlyMap<number, Span>;
  readonly foundBy: FoundBy;
}

/** The turns of the assistant among `wanted` messages. Throws `BadRow` if the template refuses, or does not show, one. */
export function turnsOf(
  template: ChatTemplate,
  conversation: Conversation,
  wanted: readonly number[],
  place: RowPlace,
): Turns {
  const { messages } = conversation;
  const whole = rendered(template, conversation, place);
  checkRoles(template, conversation, whole.text, place);
  if (template.marksTurns(conversation)) {
    return { text: whole.text, spans: marked(whole, messages, wanted, place), foundBy: 'marks' };
  }
  const spans = new Map<number, Span>();
  let foundBy: FoundBy = 'growth';
  for (const index of wanted) {
    let span = grown(template, conversation, whole.text, index);
    if (span === undefined) {
      span = changed(template, conversation, whole.text, index);
      foundBy = 'content';
    }
    if (span === undefined) {
      const remedy = 'mark the turns in the template with {% generation %} and {% endgeneration %}';
      throw new BadRow(
        place,
        `messages.${index}`,
        'the template shows this turn in a way that cannot be found',
        remedy,
      );
    }
    spans.set(index, span);
  }
  return { text: whole.text, spans, foundBy };
}

/** The text of the whole conversation. Throws `BadRow` with what the template says. */
export function rendered(template: ChatTemplate, conversation: Conversation, place: RowPlace): Rendered {
  try {
    return template.render(conversation.messages, conversation);
  } catch (cause) {
    if (!(cause instanceof TemplateFault)) throw cause;
    const roles = conversation.messages.map(({ role }) => role).join(', ');
    const found = `the chat template refuses the roles ${roles}: ${cause.message}`;
    throw new BadRow(place, 'messages', found, 'correct the row, or the template', cause);
  }
}

function marked(
  { generations }: Rendered,
  messages: readonly Message[],
  wanted: readonly number[],
  place: RowPlace,
): Map<number, Span> {
  const answers = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []));
  if (generations.length === answers.length) {
    const spans = new Map(answers.map((index, turn) => [index, generations[turn]]));
    return new Map([...spans].filter(([index]) => wanted.includes(index)));
  }
  if (wanted.length === answers.length) return new Map(generations.map((span, turn) => [turn, span]));
  const found = `the template marks ${generations.length} turns of the assistant, the row has ${answers.length}`;
  throw new BadRow(place, 'messages', found, 'learn all turns of it, or correct the template');
}

/** What the text grows by from the messages before, with the prompt to answer, to those up to this one. */
function grown(template: ChatTemplate, conversation: Conversation, text: string, index: number): Span | undefined {
  const { messages } = conversation;
  const before = attempt(() => template.render(messages.slice(0, index), conversation, true).text);
  const through = attempt(() => template.render(messages.slice(0, index + 1), conversation).text);
  if (before === undefined || through === undefined) return undefined;
  const isGrowing = through.startsWith(before) && text.startsWith(through);
  return isGrowing ? { begin: before.length, end: through.length } : undefined;
}

/** In no text of anybody: characters of the private use area. */
const STAND_IN = '\ue0f3\ue0f1\ue0f4';

/** What is other text when the content is other content, and the token that ends the turn, such as `<|im_end|>`. */
function changed(template: ChatTemplate, conversation: Conversation, text: string, index: number): Span | undefined {
  const other = withContent(template, conversation, index);
  const at = other?.indexOf(STAND_IN) ?? -1;
  if (other === undefined || at < 0) return undefined;
  const rest = other.slice(at + STAND_IN.length);
  if (at + rest.length > text.length || !text.startsWith(other.slice(0, at)) || !text.endsWith(rest)) return undefined;
  const end = text.length - rest.length;
  const closing = /^<[^<>\s]+>/.exec(rest)?.[0] ?? '';
  return { begin: at, end: end + closing.length };
}

function withContent(template: ChatTemplate, conversation: Conversation, index: number): string | undefined {
  const messages = conversation.messages.map((message, at) =>
    at === index ? { ...message, fields: { ...message.fields, content: STAND_IN } } : message,
  );
  return attempt(() => template.render(messages, conversation).text);
}

/** The token that a template writes right behind what the assistant says, such as `<|im_end|>`; null where that is no token. */
export function closingOf(template: ChatTemplate): string | null {
  const messages = [textMessage('user', '?'), textMessage('assistant', STAND_IN)];
  const text = attempt(() => template.render(messages, { tools: null, variables: {} }).text) ?? '';
  const at = text.indexOf(STAND_IN);
  return at < 0 ? null : (/^\s*(<[^<>\s]+>)/.exec(text.slice(at + STAND_IN.length))?.[1] ?? null);
}

/** Every template has an opinion on these: it may fold the system's words into another turn, or leave them out. */
const COMMON_ROLES = new Set(['system', 'user', 'assistant']);

/** A template may pass over a role that it does not know, without a word. */
function checkRoles(template: ChatTemplate, conversation: Conversation, text: string, place: RowPlace): void {
  for (const [index, { role, fields }] of conversation.messages.entries()) {
    if (COMMON_ROLES.has(role) || typeof fields.content !== 'string' || text.includes(fields.content.trim())) continue;
    if (withContent(template, conversation, index)?.includes(STAND_IN) === true) continue;
    throw new BadRow(
      place,
      `messages.${index}.role`,
      `the chat template shows nothing of the role ${JSON.stringify(role)}`,
      'use a role that it has',
    );
  }
}

function attempt(render: () => string): string | undefined {
  try {
    return render();
  } catch (cause) {
    if (cause instanceof TemplateFault) return undefined;
    throw cause;
  }
}
