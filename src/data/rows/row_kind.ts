/**
 * A row's kind, told by its keys, and the row in the form of its kind. A file has rows of one kind. Where keys of several
 * are there the more special kind counts: preference, then attributes, then chat, then text, since files carry the text
 * that was made of a chat, or the chat that the better answer makes.
 */
import type { z } from 'zod';
import { extrasOf, instructionConversation, messagesOf, promptOf, textMessage } from './conversation.ts';
import { parseRow } from './row_json.ts';
import { pairRow, rankedRow } from './preference.ts';
import { ATTRIBUTES, type Conversation, type Row, type RowKind } from './row.ts';
import { BadRow, shown, type RowPlace } from './row_error.ts';
import * as schema from './row_schema.ts';

export interface RowFormat {
  /** Only rows of this kind; null for the kind that the keys tell. */
  readonly kind: RowKind | null;
  /** Our key → the file's. */
  readonly columns: Readonly<Partial<Record<(typeof schema.COLUMNS)[number], string>>>;
}

export const ANY_ROWS: RowFormat = { kind: null, columns: {} };

type Keys = Readonly<Record<string, unknown>>;

interface Form {
  readonly kind: RowKind;
  /** Keys that only this form has: any of them makes a row one of it. */
  readonly marks: readonly string[];
  /** Keys that it cannot do without. */
  readonly needs: readonly string[];
  readonly row: (keys: Keys, place: RowPlace) => Row;
}

/** In the order in which they count. */
const FORMS: readonly Form[] = [
  {
    kind: 'preference',
    marks: ['chosen', 'rejected'],
    needs: ['chosen', 'rejected'],
    row: read(schema.pairSchema, pairRow),
  },
  {
    kind: 'preference',
    marks: ['completions'],
    needs: ['context', 'completions'],
    row: read(schema.rankedSchema, rankedRow),
  },
  {
    kind: 'attributes',
    marks: ATTRIBUTES,
    needs: ['prompt', 'response'],
    row: read(schema.attributesSchema, attributesRow),
  },
  { kind: 'chat', marks: ['messages'], needs: ['messages'], row: read(schema.messagesSchema, messagesRow) },
  {
    kind: 'chat',
    marks: ['conversations'],
    needs: ['conversations'],
    row: read(schema.conversationsSchema, conversationsRow),
  },
  {
    kind: 'chat',
    marks: ['completion'],
    needs: ['prompt', 'completion'],
    row: read(schema.completionSchema, completionRow),
  },
  {
    kind: 'chat',
    marks: ['instruction'],
    needs: ['instruction', 'output'],
    row: read(schema.instructionSchema, instructionRow),
  },
  {
    kind: 'text',
    marks: ['text'],
    needs: ['text'],
    row: read(schema.textSchema, ({ text }) => ({ kind: 'text', text })),
  },
];

const EACH_KIND =
  'text; messages; conversations; prompt and completion; instruction and output; chosen and rejected; context and completions; or prompt, response and attributes';

/** The row of a line's text. Throws `BadRow`. */
export function rowOf(text: string, format: RowFormat, place: RowPlace): Row {
  const keys = renamed(parsed(text, place), format, place);
  const forms = FORMS.filter(({ kind }) => format.kind === null || kind === format.kind);
  const candidates = forms.filter(({ marks }) => marks.some((key) => present(keys, key)));
  const isWhole = ({ needs }: Form): boolean => needs.every((key) => present(keys, key));
  // One answer alone is a mistake, whatever else the row has; the key of an attribute may mean something else.
  const [first] = candidates;
  const marked = first?.kind === 'preference' ? first : (candidates.find(isWhole) ?? first);
  if (marked === undefined) {
    const found =
      Object.keys(keys)
        .map((key) => shown(key))
        .join(', ') || 'no key';
    if (format.kind === 'attributes' && present(keys, 'prompt') && present(keys, 'response')) {
      throw new BadRow(place, null, `none of ${ATTRIBUTES.join(', ')} is rated`, 'rate one, or remove the row');
    }
    const expected = format.kind === null ? 'a row' : `a row of kind ${format.kind}`;
    const remedy = `${expected} has ${format.kind === null ? EACH_KIND : needsOf(forms)}: name the keys that hold them under columns`;
    throw new BadRow(place, null, `the row has ${found}`, remedy);
  }
  const missing = marked.needs.find((key) => !present(keys, key));
  if (missing !== undefined) {
    const has = marked.marks.filter((key) => present(keys, key)).join(', ');
    const why = marked.needs.includes('rejected') ? 'a preference row has two answers' : `a row with ${has} needs it`;
    throw new BadRow(place, missing, 'there is none', `${why}: add it, or name its key under columns`);
  }
  return marked.row(keys, place);
}

/** Throws `BadRow` where a row is of another kind than those before it in its file. */
export function checkKind(row: Row, before: RowKind, place: RowPlace): void {
  if (row.kind === before) return;
  throw new BadRow(
    place,
    null,
    `it is a ${row.kind} row, those before it are ${before} rows`,
    'put each kind into a file of its own',
  );
}

const needsOf = (forms: readonly Form[]): string => forms.map(({ needs }) => needs.join(' and ')).join('; or ');
const present = (keys: Keys, key: string): boolean => Object.hasOwn(keys, key) && keys[key] !== null;

function parsed(text: string, place: RowPlace): Keys {
  let value: unknown;
  try {
    value = parseRow(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
    throw new BadRow(place, null, `it is not JSON: ${reason}`, 'write one JSON object a line', cause);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new BadRow(place, null, `it is ${shown(value)}, no object`, 'write one JSON object a line');
}

/** The keys under our names. */
function renamed(keys: Keys, { columns }: RowFormat, place: RowPlace): Keys {
  const pairs = Object.entries(columns);
  if (pairs.length === 0) return keys;
  const taken = new Set(pairs.map(([, theirs]) => theirs));
  const named = pairs.filter(([, theirs]) => Object.hasOwn(keys, theirs));
  if (named.length === 0) {
    const found =
      Object.keys(keys)
        .map((key) => shown(key))
        .join(', ') || 'no key';
    throw new BadRow(place, null, `the row has ${found} and none of ${[...taken].join(', ')}`, 'correct columns');
  }
  const ours = new Set(pairs.map(([name]) => name));
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(keys)) if (!taken.has(key) && !ours.has(key)) result[key] = value;
  for (const [name, theirs] of named) result[name] = keys[theirs];
  return result;
}

function read<T>(form: z.ZodType<T>, make: (raw: T, place: RowPlace) => Row): Form['row'] {
  return (keys, place) => {
    const result = form.safeParse(keys);
    if (result.success) return make(result.data, place);
    const { path, message } = deepest(result.error.issues[0]);
    throw new BadRow(
      place,
      path.join('.'),
      `${message}: ${shown(valueAt(keys, path))}`,
      'correct the row, or remove it',
    );
  };
}

/** What is wrong inside of the member of a union that the value comes nearest to. */
function deepest(issue: z.core.$ZodIssue): { readonly path: readonly PropertyKey[]; readonly message: string } {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors.map(([first]) => deepest(first)).sort((a, b) => b.path.length - a.path.length)[0];
  const isDeeper = inner !== undefined && (inner.path.length > 0 || inner.message === 'it has no message');
  return isDeeper ? { path: [...issue.path, ...inner.path], message: inner.message } : issue;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  return at;
}

function messagesRow(raw: z.output<typeof schema.messagesSchema>, place: RowPlace): Row {
  return chat({ messages: messagesOf(raw.messages, 'messages', place), promptLength: 0, ...extrasOf(raw) });
}

function conversationsRow(raw: z.output<typeof schema.conversationsSchema>, place: RowPlace): Row {
  return chat({ messages: messagesOf(raw.conversations, 'conversations', place), promptLength: 0, ...extrasOf(raw) });
}

function completionRow(raw: z.output<typeof schema.completionSchema>, place: RowPlace): Row {
  const { prompt, completion } = raw;
  if (typeof prompt === 'string' && typeof completion === 'string')
    return { kind: 'chat', form: 'completion', prompt, completion };
  if (typeof prompt === 'string' || typeof completion === 'string') {
    throw new BadRow(
      place,
      'prompt',
      'of prompt and completion one is text, one messages',
      'make both texts, or both messages',
    );
  }
  const [asked, answered] = [messagesOf(prompt, 'prompt', place), messagesOf(completion, 'completion', place)];
  return chat({ messages: [...asked, ...answered], promptLength: asked.length, ...extrasOf(raw) });
}

function instructionRow(raw: z.output<typeof schema.instructionSchema>): Row {
  return chat(instructionConversation(raw));
}

function attributesRow(raw: z.output<typeof schema.attributesSchema>, place: RowPlace): Row {
  const messages = [...promptOf(raw.prompt, 'prompt', place), textMessage('assistant', raw.response)];
  const labels = Float32Array.from(ATTRIBUTES, (name) => raw[name] ?? NaN);
  return {
    kind: 'attributes',
    conversation: { messages, promptLength: messages.length - 1, ...extrasOf(raw) },
    labels,
  };
}

const chat = (conversation: Conversation): Row => ({ kind: 'chat', form: 'conversation', conversation });
