/**
 * From rows to samples, with one tokenizer, template and set of options, and counts of what became of the rows. A row that
 * is wrong is an error; one that is only too long is cut, and dropped where nothing is left to learn.
 */
import { ChatTemplate, type Span, type TemplateOptions } from './chat_template.ts';
import type { AttributeRow, Conversation, Message, PreferenceRow, Row, TextRow, ChatRow } from './row.ts';
import { BadRow, shown, type RowPlace } from './row_error.ts';
import type { RowTokenizer } from './row_tokenizer.ts';
import {
  cut,
  isTrained,
  plainSample,
  targetsOf,
  templatedSample,
  trainedOnAll,
  type Sample,
  type SampleOptions,
} from './sample.ts';
import { rendered, turnsOf } from './turns.ts';

/** Two samples of one prompt, of which the first is the better. */
export interface PreferencePair {
  readonly chosen: Sample;
  readonly rejected: Sample;
  readonly chosenReward: number | null;
  readonly rejectedReward: number | null;
  /** By how much the first should be better, where the row says. */
  readonly margin: number | null;
}

/** An answer and what people said of it. */
export interface AttributeSample {
  readonly tokens: Int32Array;
  /** By `ATTRIBUTES`; NaN is masked. */
  readonly labels: Float32Array;
}

export interface RowCounts {
  readonly rows: number;
  /** Rows that were longer than a sequence and lost their end, or their beginning. */
  readonly truncated: number;
  /** Rows of which nothing was left to learn. */
  readonly dropped: number;
  readonly tokens: number;
  readonly trainedTokens: number;
  /** Conversations whose turns had to be found by their content, since cut ones are shown otherwise than whole ones. */
  readonly foundByContent: number;
}

export interface SamplerOptions extends SampleOptions, TemplateOptions {
  /** What becomes of a pair or an answer that is too long: it loses its end, or is dropped. */
  readonly overlong: 'truncate' | 'drop';
}

export const SAMPLER_DEFAULTS = { trainOn: 'assistant', keep: 'start', overlong: 'truncate' } as const;

export class Sampler {
  readonly #tokenizer: RowTokenizer;
  readonly #options: SamplerOptions;
  #template: ChatTemplate | undefined;
  #counts = { rows: 0, truncated: 0, dropped: 0, tokens: 0, trainedTokens: 0, foundByContent: 0 };

  constructor(tokenizer: RowTokenizer, options: SamplerOptions) {
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  get counts(): RowCounts {
    return { ...this.#counts };
  }

  /** The sample of a row to predict tokens of; null where nothing is left to learn. Throws `BadRow`, `BadChatTemplate`. */
  async sample(row: TextRow | ChatRow, place: RowPlace): Promise<Sample | null> {
    return this.kept(row, await this.whole(row, place))?.[0] ?? null;
  }

  /** The two samples of a preference row; null where one of them is dropped. Throws `BadRow`, `BadChatTemplate`. */
  async pair(row: PreferenceRow, place: RowPlace): Promise<PreferencePair | null> {
    const kept = this.kept(row, await this.whole(row, place));
    if (kept === null) return null;
    const { chosenReward, rejectedReward, margin } = row;
    return { chosen: kept[0], rejected: kept[1], chosenReward, rejectedReward, margin };
  }

  /** The tokens of an answer with its prompt; null where it is dropped. Throws `BadRow`, `BadChatTemplate`. */
  async attributes(row: AttributeRow, place: RowPlace): Promise<AttributeSample | null> {
    const kept = this.kept(row, await this.whole(row, place));
    return kept === null ? null : { tokens: kept[0].tokens, labels: row.labels };
  }

  /** The samples of a row before anything is cut: the two of a preference row, the one of any other. Throws the same. */
  async whole(row: Row, place: RowPlace): Promise<readonly Sample[]> {
    const { trainOn } = this.#options;
    if (row.kind === 'text') return [await plainSample(this.#tokenizer, row.text, null, place)];
    if (row.kind === 'attributes') {
      const { text } = rendered(this.#chatTemplate, row.conversation, place);
      return [trainedOnAll(await templatedSample(this.#tokenizer, text, []))];
    }
    if (row.kind === 'preference') {
      if (row.form === 'completion') {
        const { prompt, chosen, rejected } = row;
        return [await this.#answer(prompt, chosen, place), await this.#answer(prompt, rejected, place)];
      }
      const { chosen, rejected } = row;
      return [
        await this.#conversation(chosen, place, 'assistant'),
        await this.#conversation(rejected, place, 'assistant'),
      ];
    }
    if (row.form === 'conversation') return [await this.#conversation(row.conversation, place, trainOn)];
    const answer = await this.#answer(row.prompt, row.completion, place);
    return [trainOn === 'all' ? trainedOnAll(answer) : answer];
  }

  /** What is left of the whole samples of a row, no longer than a sequence, and counted; null where it is dropped. */
  kept({ kind }: Pick<Row, 'kind'>, samples: readonly Sample[]): readonly Sample[] | null {
    this.#counts.rows += 1;
    const mayBeDropped = kind === 'preference' || kind === 'attributes';
    return this.#kept(samples, mayBeDropped && this.#options.overlong === 'drop');
  }

  /** The text that the tokens of a row are of, as a model sees it. Throws `BadRow`, `BadChatTemplate`. */
  texts(row: Row, place: RowPlace): readonly string[] {
    const textOf = (conversation: Conversation): string => rendered(this.#chatTemplate, conversation, place).text;
    if (row.kind === 'text') return [row.text];
    if (row.kind === 'attributes') return [textOf(row.conversation)];
    if (row.kind === 'preference') {
      if (row.form === 'conversation') return [textOf(row.chosen), textOf(row.rejected)];
      return [row.prompt + row.chosen, row.prompt + row.rejected];
    }
    return row.form === 'conversation' ? [textOf(row.conversation)] : [row.prompt + row.completion];
  }

  /** Compiled for the first row that needs it: plain text needs none. */
  get #chatTemplate(): ChatTemplate {
    this.#template ??= new ChatTemplate(this.#tokenizer, this.#options);
    return this.#template;
  }

  async #answer(prompt: string, answer: string, place: RowPlace): Promise<Sample> {
    return await plainSample(this.#tokenizer, prompt + answer, prompt.length, place);
  }

  async #conversation(conversation: Conversation, place: RowPlace, trainOn: SampleOptions['trainOn']): Promise<Sample> {
    const { messages, promptLength } = conversation;
    if (trainOn === 'all') {
      return trainedOnAll(
        await templatedSample(this.#tokenizer, rendered(this.#chatTemplate, conversation, place).text, []),
      );
    }
    const learnt = learntTurns(conversation, place);
    const { text, spans, foundBy } = turnsOf(this.#chatTemplate, conversation, learnt, place);
    if (foundBy === 'content') this.#counts.foundByContent += 1;
    const isSplit = trainOn === 'completion' && promptLength > 0 && messages.every(({ train }) => train !== false);
    const learntSpans = isSplit ? [afterPrompt(spans, text)] : [...spans.values()];
    const sample = await templatedSample(this.#tokenizer, text, learntSpans);
    if (isTrained(sample)) return sample;
    throw new BadRow(place, 'messages', 'the template gives no token to learn', 'add an answer, or remove the row');
  }

  /** Cut to a sequence; null where one is to be dropped for its length, or has nothing left to learn. */
  #kept(samples: readonly Sample[], isDropped: boolean): readonly Sample[] | null {
    const counts = this.#counts;
    const cuts = samples.map((sample) => cut(sample, this.#options));
    const isOverlong = cuts.some((each, index) => each !== samples[index]);
    if ((isOverlong && isDropped) || !cuts.every(isTrained)) {
      counts.dropped += 1;
      return null;
    }
    if (isOverlong) counts.truncated += 1;
    for (const sample of cuts) {
      counts.tokens += sample.tokens.length;
      counts.trainedTokens += targetsOf(sample);
    }
    return cuts;
  }
}

/** Throws `BadRow` where a conversation has no turn to learn from. */
export function checkLearnt(row: Row, { trainOn }: Pick<SampleOptions, 'trainOn'>, place: RowPlace): void {
  if (row.kind === 'chat' && row.form === 'conversation' && trainOn !== 'all') learntTurns(row.conversation, place);
}

/** The assistant's turns behind the prompt, but those that say `train: false`. Throws `BadRow` where there is none. */
function learntTurns({ messages, promptLength }: Conversation, place: RowPlace): readonly number[] {
  const asked = messages.findIndex(({ role, train }) => role !== 'assistant' && train === true);
  if (asked >= 0) {
    const found = `a turn of the role ${shown(messages[asked].role)} is to be learnt`;
    throw new BadRow(place, `messages.${asked}.train`, found, 'only the turns of the assistant can be');
  }
  const answers = messages.flatMap(({ role }, index) => (role === 'assistant' && index >= promptLength ? [index] : []));
  const learnt = answers.filter((index) => messages[index].train !== false);
  if (learnt.length > 0) return learnt;
  const found =
    answers.length > 0
      ? 'every turn of the assistant says train: false'
      : `there is no turn of the assistant among ${rolesOf(messages)}`;
  throw new BadRow(place, 'messages', found, 'nothing of the row would be learnt: remove it, or add a turn to learn');
}

/** From where the first answer begins to the end. */
function afterPrompt(spans: ReadonlyMap<number, Span>, text: string): Span {
  const begins = [...spans.values()].map(({ begin }) => begin);
  return { begin: Math.min(...begins), end: text.length };
}

/** The roles of a conversation, each once. */
const rolesOf = (messages: readonly Message[]): string => [...new Set(messages.map(({ role }) => role))].join(', ');
