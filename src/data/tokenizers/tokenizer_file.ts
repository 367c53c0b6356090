/**
 * What this layer reads in a `tokenizer.json` before the library does: ids and options that no run can use, and whether a
 * long text may be encoded line by line. A document of a corpus may have gigabytes, and the library takes a hundred times
 * the memory of the text that it encodes.
 */
import { z } from 'zod';
import { BadTokenizer } from '../errors.ts';

const part = z.looseObject({ type: z.string().optional() });
type Part = z.output<typeof part>;

/** The fields of a `tokenizer.json` that are looked at here. */
export const tokenizerFile = z.looseObject({
  model: z.looseObject({ dropout: z.number().nullish(), vocab: z.unknown().optional() }),
  normalizer: part.nullish(),
  pre_tokenizer: part.nullish(),
  post_processor: part.nullish(),
  added_tokens: z
    .array(
      z.looseObject({
        id: z.number().optional(),
        content: z.string().optional(),
        lstrip: z.boolean().optional(),
        rstrip: z.boolean().optional(),
        special: z.boolean().optional(),
      }),
    )
    .nullish(),
});
export type TokenizerDefinition = z.output<typeof tokenizerFile>;

/** Every id up to the highest is a row of the embedding. */
const HIGHEST_ID = 2 ** 24 - 1;

/** Throws `BadTokenizer` for an id past all bounds, and for a model that gives other ids each time. */
export function checkDefinition({ model, added_tokens: added }: TokenizerDefinition, path: string, name: string): void {
  const vocabulary = isRecord(model.vocab) ? Object.entries(model.vocab) : [];
  const ids = [...vocabulary, ...(added ?? []).map(({ content, id }) => [content ?? '', id ?? 0] as const)];
  const wrong = ids.find(([, id]) => typeof id === 'number' && id > HIGHEST_ID);
  if (wrong !== undefined) {
    const reason = `${path} gives the token ${JSON.stringify(wrong[0])} the id ${String(wrong[1])}`;
    throw new BadTokenizer(name, reason, `every id up to it is a row of the model: give ids up to ${HIGHEST_ID}`);
  }
  if ((model.dropout ?? 0) !== 0) {
    const reason = `${path} has a model with dropout ${model.dropout}, which gives a text other ids each time`;
    throw new BadTokenizer(name, reason, 'set its model.dropout to null');
  }
}

/** Normalizers that look at one character, or at one and its marks, so that nothing reaches across a line break. */
const LOCAL_NORMALIZERS = new Set(['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'BertNormalizer', 'StripAccents']);

/** Pre-tokenizers that drop white space, and so never see the other side of a line break. */
const SPACE_DROPPING = new Set(['Whitespace', 'WhitespaceSplit', 'BertPreTokenizer']);

/**
 * Patterns known to end a match at a line break between a visible character and a letter or digit: those of Llama 3 and
 * of Qwen 2, which differ in how many digits go together.
 */
const LINE_PATTERNS = new Set(
  ['\\p{N}{1,3}', '\\p{N}'].map(
    (digits) =>
      `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ),
);

/**
 * `lines`: the ids of a text are those of its parts, one after the other, where it is cut after a line break that has a
 * visible character before it and a letter or digit after it. Only where that is known to hold; else `whole`.
 */
export function cutsOf({
  normalizer,
  pre_tokenizer: splits,
  added_tokens: added,
}: TokenizerDefinition): 'lines' | 'whole' {
  // Such a token takes the line break beside it, or has one.
  const crosses = (added ?? []).some(
    ({ content = '', lstrip = false, rstrip = false }) => lstrip || rstrip || /\s/.test(content),
  );
  const isLocal = partsOf(normalizer, 'normalizers').every(({ type = '' }) => LOCAL_NORMALIZERS.has(type));
  return !crosses && isLocal && splitsAtLines(partsOf(splits, 'pretokenizers')) ? 'lines' : 'whole';
}

/** The first one does; what comes after it sees no more than what it left together. */
function splitsAtLines([first, second, ...others]: readonly Part[]): boolean {
  if (first === undefined) return false;
  if (SPACE_DROPPING.has(first.type ?? '')) return second === undefined;
  if (others.length > 0) return false;
  const isSpaceKept = (splits: Part): boolean => splits.type === 'ByteLevel' && splits.add_prefix_space === false;
  if (second === undefined) return isSpaceKept(first) && first.use_regex !== false;
  const { type, pattern, behavior, invert } = first;
  const isKnown = isRecord(pattern) && typeof pattern.Regex === 'string' && LINE_PATTERNS.has(pattern.Regex);
  const isSplit = type === 'Split' && isKnown && behavior === 'Isolated' && invert !== true;
  return isSplit && isSpaceKept(second) && second.use_regex === false;
}

/** Whether a text gets tokens around it; a step of `ByteLevel` only corrects the places of its tokens. */
export const putsAround = ({ post_processor: steps }: TokenizerDefinition): boolean =>
  partsOf(steps, 'processors').some(({ type }) => type !== 'ByteLevel');

/** A step, or the steps of a sequence of them. */
function partsOf(steps: Part | null | undefined, key: string): readonly Part[] {
  if (steps === null || steps === undefined) return [];
  if (steps.type !== 'Sequence') return [steps];
  const parts = z.array(part).safeParse(steps[key]);
  return parts.success ? parts.data : [steps];
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
