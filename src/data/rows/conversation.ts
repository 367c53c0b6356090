/**
 * Conversations from what files call them: ShareGPT's `from` and `value`, a prompt and its completion, instructions with
 * input and history. Roles are brought to those that templates know; other fields of a message stay.
 */
import type { z } from 'zod';
import type { Conversation, Message, TemplateExtras } from './row.ts';
import { BadRow, shown, type RowPlace } from './row_error.ts';
import type { instructionSchema, messageSchema } from './row_schema.ts';

type RawMessage = z.output<typeof messageSchema>;

/** What ShareGPT and its relatives call the roles. */
const ROLES: ReadonlyMap<string, string> = new Map([
  ['human', 'user'],
  ['gpt', 'assistant'],
  ['chatgpt', 'assistant'],
  ['model', 'assistant'],
  ['bot', 'assistant'],
  ['observation', 'tool'],
  ['function', 'tool'],
]);

/** The messages under a key. Throws `BadRow` for one without a role, or with two. */
export function messagesOf(raw: readonly RawMessage[], key: string, place: RowPlace): readonly Message[] {
  return raw.map((message, index) => messageOf(message, `${key}.${index}`, place));
}

function messageOf(raw: RawMessage, key: string, place: RowPlace): Message {
  const { train = null, from, value, ...rest } = raw;
  if (raw.role !== undefined) {
    if (from !== undefined) {
      throw new BadRow(
        place,
        key,
        `it has both role ${shown(raw.role)} and from ${shown(from)}`,
        'keep one of the two',
      );
    }
    if (
      !('content' in rest) &&
      !Object.keys(rest).some((other) => other.endsWith('_calls') || other.endsWith('_call'))
    ) {
      const keys = Object.keys(raw).join(', ');
      throw new BadRow(place, key, `a message has ${keys}, and no content`, 'give it role and content');
    }
    const fields = value === undefined ? rest : { ...rest, value };
    return { role: raw.role, train, fields };
  }
  if (from === undefined) {
    const keys = Object.keys(raw).join(', ') || 'no keys';
    throw new BadRow(place, key, `a message has ${keys}`, 'give it role and content, or from and value');
  }
  const role = ROLES.get(from) ?? from;
  return { role, train, fields: { ...rest, role, ...(value === undefined ? {} : { content: value }) } };
}

/** A message with text only. */
export const textMessage = (role: string, content: string): Message => ({
  role,
  train: null,
  fields: { role, content },
});

/** An assistant's answers: text is one message of it. */
export function answersOf(answer: string | readonly RawMessage[], key: string, place: RowPlace): readonly Message[] {
  return typeof answer === 'string' ? [textMessage('assistant', answer)] : messagesOf(answer, key, place);
}

/** What comes before the answers: text is one message of the user. */
export function promptOf(prompt: string | readonly RawMessage[], key: string, place: RowPlace): readonly Message[] {
  return typeof prompt === 'string' ? [textMessage('user', prompt)] : messagesOf(prompt, key, place);
}

/** `instruction, input?, output, system?, history?`: input stands below the instruction, history before both. */
export function instructionConversation(raw: z.output<typeof instructionSchema>): Conversation {
  const { instruction, input, output, system, history } = raw;
  const question = (input ?? '') === '' ? instruction : `${instruction}\n${input}`;
  const messages = [
    ...((system ?? '') === '' ? [] : [textMessage('system', system ?? '')]),
    ...(history ?? []).flatMap(([asked, answered]) => [textMessage('user', asked), textMessage('assistant', answered)]),
    textMessage('user', question),
    textMessage('assistant', output),
  ];
  return { messages, promptLength: 0, tools: null, variables: {} };
}

/** What a row gives to its template beside messages. */
export function extrasOf(raw: {
  readonly tools?: readonly unknown[] | null | undefined;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
}): TemplateExtras {
  return { tools: raw.tools ?? null, variables: raw.chat_template_kwargs ?? {} };
}
