/**
 * Preference rows from their three forms: a prompt and two answers, two whole conversations or texts with a common
 * beginning, and ranked completions of a context. The common beginning is the prompt, as TRL finds it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { answersOf, extrasOf, promptOf } from './conversation.ts';
import type { Judgement, Message, PreferenceRow, TemplateExtras } from './row.ts';
import { BadRow, type RowPlace } from './row_error.ts';
import type { PairForm, rankedSchema } from './row_schema.ts';

/** `prompt?, chosen, rejected`. Throws `BadRow` where one is text and another messages, and for two equal answers. */
export function pairRow(raw: PairForm, place: RowPlace): PreferenceRow {
  const { prompt, chosen, rejected } = raw;
  const judgement: Judgement = {
    chosenReward: raw.chosen_reward ?? null,
    rejectedReward: raw.rejected_reward ?? null,
    margin: raw.margin ?? null,
  };
  if (typeof chosen === 'string' && typeof rejected === 'string' && !Array.isArray(prompt)) {
    checkDiffer(chosen, rejected, 'rejected', place);
    const begin = prompt ?? '';
    const split = (prompt ?? null) === null ? commonText(chosen, rejected) : 0;
    const texts = {
      prompt: begin + chosen.slice(0, split),
      chosen: chosen.slice(split),
      rejected: rejected.slice(split),
    };
    return { kind: 'preference', form: 'completion', ...texts, ...judgement };
  }
  if (typeof prompt === 'string' && (typeof chosen === 'string' || typeof rejected === 'string')) throw mixed(place);
  if (typeof chosen !== typeof rejected) throw mixed(place);
  const [yes, no] = [answersOf(chosen, 'chosen', place), answersOf(rejected, 'rejected', place)];
  const split = commonMessages(yes, no);
  const areWhole = split > 0 && yes[0].role !== 'assistant';
  if (prompt !== undefined && prompt !== null) {
    const asked = promptOf(prompt, 'prompt', place);
    if (!areWhole) return conversations(asked, yes, no, judgement, extrasOf(raw), place);
    checkBegins(prompt, asked, yes.slice(0, split), place);
  }
  return conversations(yes.slice(0, split), yes.slice(split), no.slice(split), judgement, extrasOf(raw), place);
}

/** `context, completions: [{rank, completion, reward?}]`: the lowest rank is chosen over the next. */
export function rankedRow(raw: z.output<typeof rankedSchema>, place: RowPlace): PreferenceRow {
  const ranked = raw.completions.map((entry, index) => ({ ...entry, key: `completions.${index}.completion` }));
  const [best, next] = ranked.sort((a, b) => a.rank - b.rank);
  if (best.rank === next.rank) {
    throw new BadRow(
      place,
      'completions',
      `the two best have the same rank ${best.rank}`,
      'give ranks that say which is better',
    );
  }
  const judgement: Judgement = { chosenReward: best.reward ?? null, rejectedReward: next.reward ?? null, margin: null };
  const [yes, no, { context }] = [best.completion, next.completion, raw];
  if (typeof context === 'string' && typeof yes === 'string' && typeof no === 'string') {
    checkDiffer(yes, no, next.key, place);
    return { kind: 'preference', form: 'completion', prompt: context, chosen: yes, rejected: no, ...judgement };
  }
  const answers = [answersOf(yes, best.key, place), answersOf(no, next.key, place)] as const;
  return conversations(promptOf(context, 'context', place), ...answers, judgement, extrasOf(raw), place);
}

function conversations(
  prompt: readonly Message[],
  chosen: readonly Message[],
  rejected: readonly Message[],
  judgement: Judgement,
  extras: TemplateExtras,
  place: RowPlace,
): PreferenceRow {
  checkDiffer(chosen, rejected, 'rejected', place);
  const whole = (answers: readonly Message[]) => ({
    messages: [...prompt, ...answers],
    promptLength: prompt.length,
    ...extras,
  });
  return { kind: 'preference', form: 'conversation', chosen: whole(chosen), rejected: whole(rejected), ...judgement };
}

function checkDiffer(chosen: unknown, rejected: unknown, key: string, place: RowPlace): void {
  if (!isDeepStrictEqual(chosen, rejected)) return;
  throw new BadRow(
    place,
    key,
    'both answers are the same, so there is only one',
    'give two that differ, or remove the row',
  );
}

/** A prompt beside whole conversations has to be what they begin with. */
function checkBegins(prompt: unknown, asked: readonly Message[], common: readonly Message[], place: RowPlace): void {
  const isTheirs =
    typeof prompt === 'string'
      ? common.some(({ fields }) => fields.content === prompt)
      : isDeepStrictEqual(asked, common.slice(0, asked.length));
  if (isTheirs) return;
  const remedy = 'give only the answers as chosen and rejected, or leave out prompt';
  throw new BadRow(place, 'prompt', 'chosen and rejected are whole conversations that do not begin with it', remedy);
}

function mixed(place: RowPlace): BadRow {
  return new BadRow(
    place,
    'chosen',
    'of prompt, chosen and rejected some are texts, some messages',
    'make all texts, or all messages',
  );
}

/** How many messages at the beginning are equal; at least one is left to each side. */
function commonMessages(chosen: readonly Message[], rejected: readonly Message[]): number {
  const shorter = Math.min(chosen.length, rejected.length);
  for (let index = 0; index < shorter; index += 1) if (!isDeepStrictEqual(chosen[index], rejected[index])) return index;
  return shorter - 1;
}

/** The same of characters; a blank before the first difference belongs to the answers, since tokens begin with it. */
function commonText(chosen: string, rejected: string): number {
  const [left, right] = [Array.from(chosen), Array.from(rejected)];
  const shorter = Math.min(left.length, right.length);
  let index = 0;
  while (index < shorter && left[index] === right[index]) index += 1;
  if (index === shorter) index = Math.max(0, shorter - 1);
  else if (index > 0 && left[index - 1] === ' ') index -= 1;
  return left.slice(0, index).join('').length;
}
