/**
 * The chat template of a tokenizer: what makes the text that a model sees of a conversation. It comes from the tokenizer's
 * files; where they have none it is ChatML, whose two tokens the tokenizer has to have.
 */
import type { Span } from './jinja/scope.ts';
import { Template, type Rendered } from './jinja/template.ts';
import { TemplateFault } from './jinja/value.ts';
import type { Message, TemplateExtras } from './row.ts';
import { BadChatTemplate } from './row_error.ts';
import type { RowTokenizer } from './row_tokenizer.ts';

export type { Rendered, Span };
export { TemplateFault };

/** The tokens of ChatML, for tokenizers that can be given names. */
export const CHATML_TOKENS = ['<|im_start|>', '<|im_end|>'] as const;

const CHATML = `{%- for message in messages %}
    {%- if message.role not in ['system', 'user', 'assistant', 'tool'] %}
        {{- raise_exception('chatml has no role ' ~ message.role) }}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' %}
        {%- generation %}{{- message.content + '<|im_end|>' }}{%- endgeneration %}
    {%- else %}
        {{- message.content + '<|im_end|>' }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;

export interface TemplateOptions {
  /** What `strftime_now` writes; a template that asks for it and gets none refuses its rows. */
  readonly date?: Date;
}

export class ChatTemplate {
  readonly #main: Template;
  readonly #tools: Template | undefined;
  readonly #marked: readonly [main: boolean, tools: boolean];
  readonly #specials: Readonly<Record<string, string>>;

  /** Throws `BadChatTemplate` for a template that does not parse or asks for what is not supported. */
  constructor(tokenizer: RowTokenizer, { date }: TemplateOptions = {}) {
    const { name, chatTemplate, toolTemplate } = tokenizer;
    if (chatTemplate === null) checkChatml(tokenizer);
    const source = chatTemplate ?? CHATML;
    this.#main = compiled(source, name, date);
    this.#tools = toolTemplate === null ? undefined : compiled(toolTemplate, name, date);
    this.#marked = [marksTurns(source), toolTemplate !== null && marksTurns(toolTemplate)];
    const specials: Record<string, string> = {};
    for (const [key, token] of Object.entries(tokenizer.specialTokens)) {
      if (token !== null) specials[`${key}_token`] = token.content;
    }
    this.#specials = specials;
  }

  /** Whether the template marks the assistant's turns with `{% generation %}`. */
  marksTurns({ tools }: TemplateExtras): boolean {
    return this.#marked[tools !== null && this.#tools !== undefined ? 1 : 0];
  }

  /** The text of some messages. Throws `TemplateFault` where the template refuses them, and for none. */
  render(messages: readonly Message[], { tools, variables }: TemplateExtras, addGenerationPrompt = false): Rendered {
    if (messages.length === 0) throw new TemplateFault('there is no message');
    const template = tools === null ? this.#main : (this.#tools ?? this.#main);
    return template.render({
      ...this.#specials,
      ...variables,
      messages: messages.map(({ fields }) => fields),
      tools,
      add_generation_prompt: addGenerationPrompt,
    });
  }
}

const marksTurns = (source: string): boolean => /\{%[-+]?\s*generation\s*[-+]?%\}/.test(source);

function compiled(source: string, name: string, date: Date | undefined): Template {
  try {
    return new Template(source, date);
  } catch (cause) {
    if (!(cause instanceof TemplateFault)) throw cause;
    throw new BadChatTemplate(
      name,
      cause.message,
      'correct it, or give another in chat_template.jinja beside the tokenizer',
      cause,
    );
  }
}

function checkChatml(tokenizer: RowTokenizer): void {
  const missing = CHATML_TOKENS.filter((token) => tokenizer.tokenId(token) === null);
  if (missing.length === 0) return;
  const reason = `there is none, and for ChatML the vocabulary lacks ${missing.join(' and ')}`;
  throw new BadChatTemplate(
    tokenizer.name,
    reason,
    tokenizer.name === 'bytes'
      ? 'a model has them that was trained on rows of data: tune it on chats first'
      : 'put a chat_template.jinja beside the tokenizer, or add these tokens to it',
  );
}
