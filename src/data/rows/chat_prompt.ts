/**
 * A user's turn as a chat template writes it for the assistant to answer, and the tokens with which that answer ends. Both are what
 * a model has seen in training, so that it is asked as it was taught.
 */
import { ChatTemplate, TemplateFault, type TemplateOptions } from './chat_template.ts';
import { textMessage } from './conversation.ts';
import { BadChatTemplate } from './row_error.ts';
import type { RowTokenizer } from './row_tokenizer.ts';
import { closingOf } from './turns.ts';

/** The text of a conversation of one turn, up to where the answer begins. Throws `BadChatTemplate`. */
export function userTurn(tokenizer: RowTokenizer, content: string, options: TemplateOptions = {}): string {
  const template = new ChatTemplate(tokenizer, options);
  try {
    return template.render([textMessage('user', content)], { tools: null, variables: {} }, true).text;
  } catch (cause) {
    if (!(cause instanceof TemplateFault)) throw cause;
    const reason = `it refuses a turn of the user: ${cause.message}`;
    throw new BadChatTemplate(tokenizer.name, reason, 'correct it, or write the whole prompt yourself', cause);
  }
}

/** The ids at which an answer ends: the separator of documents and what the template ends a turn with. Throws `BadChatTemplate`. */
export function answerEnds(tokenizer: RowTokenizer, options: TemplateOptions = {}): readonly number[] {
  const closing = closingOf(new ChatTemplate(tokenizer, options));
  const id = closing === null ? null : tokenizer.tokenId(closing);
  return [...new Set([tokenizer.separatorId, ...(id === null ? [] : [id])])];
}
