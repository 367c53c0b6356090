/**
 * Data that the released libraries computed (transformers 5.18.0, trl 1.13.0, jinja2 3.1.6), in `golden/`, and a tokenizer
 * for each of its chat templates. Rows that trl collates are kept without their padding.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Tokenizer as Library } from '@anush008/tokenizers';
import { z } from 'zod';
import { parseRow } from '../../../src/data/rows/row_json.ts';
import type { RowTokenizer } from '../../../src/data/rows/row_tokenizer.ts';

export const FAMILIES = [
  'chatml',
  'folded_system',
  'generation_markers',
  'llama3_headers',
  'mistral_inst',
  'tools',
  'zephyr_bars',
];

export const goldenPath = (file: string): string => join(import.meta.dirname, 'golden', file);
/** A golden file by its schema; floats that are whole stay floats. */
export const golden = <T>(file: string, schema: z.ZodType<T>): T =>
  schema.parse(parseRow(readFileSync(goldenPath(file), 'utf8')));

const error = z.object({ type: z.string(), message: z.string() });
const ids = z.array(z.number());
const rendering = z.object({ text: z.string().optional(), ids: ids.optional(), error: error.optional() });
const labels = z.object({ input_ids: ids, labels: ids, prefix_mismatch_warning: z.unknown().optional() });

export const conversationsFile = z.object({
  conversations: z.array(z.looseObject({ name: z.string(), messages: z.array(z.record(z.string(), z.unknown())) })),
  tool_conversations: z.array(
    z.looseObject({ name: z.string(), messages: z.array(z.record(z.string(), z.unknown())) }),
  ),
});

export const renderingsFile = z.object({
  cases: z.array(
    z.object({
      conversation: z.string(),
      without_generation_prompt: rendering,
      with_generation_prompt: rendering,
      assistant_mask: ids.optional(),
    }),
  ),
});

export const labelsFile = z.object({
  cases: z.array(
    z.object({
      conversation: z.string(),
      completion_only: labels,
      assistant_only: labels.optional(),
      completion_and_assistant_only: labels.optional(),
    }),
  ),
});

export const rowsFile = z.object({
  cases: z.array(
    z.object({
      rows_file: z.string(),
      tokenizer: z.string(),
      options: z.object({
        max_length: z.number().optional(),
        truncation_mode: z.string().optional(),
        assistant_only_loss: z.boolean().optional(),
        completion_only_loss: z.boolean().optional(),
      }),
      effective: z.object({ completion_only_loss: z.boolean() }).optional(),
      rows: z.array(z.looseObject({ input_ids: ids.optional(), labels: ids.optional() })).optional(),
      error: error.optional(),
      converted_by_us_first: z.array(z.unknown()).optional(),
      collated_all: z
        .object({ input_ids: z.array(ids), attention_mask: z.array(ids), completion_mask: z.array(ids) })
        .optional(),
    }),
  ),
});
export type RowsCase = z.output<typeof rowsFile>['cases'][number];

/** A case's name as messages of a test show it. */
export const caseName = ({ rows_file: file, tokenizer, options }: RowsCase): string =>
  `${file}, ${tokenizer}, ${JSON.stringify(options)}`;

const special = z.string().optional();
const configFile = z.object({
  bos_token: special,
  eos_token: special,
  pad_token: special,
  unk_token: special,
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]).optional(),
});

/** The tokenizer of a template's family, run by the library that defines the format. */
export function goldenTokenizer(family: string): RowTokenizer {
  const { Tokenizer } = createRequire(import.meta.url)('@anush008/tokenizers') as {
    readonly Tokenizer: typeof Library;
  };
  const library = Tokenizer.fromString(readFileSync(goldenPath(`chat/${family}/tokenizer.json`), 'utf8'));
  const config = golden(`chat/${family}/tokenizer_config.json`, configFile);
  const { chat_template: template } = config;
  const own = goldenPath(`chat/${family}/chat_template.jinja`);
  const named = (name: string): string | null =>
    Array.isArray(template) ? (template.find((each) => each.name === name)?.template ?? null) : null;
  const token = (content: string | undefined) =>
    content === undefined ? null : { content, id: library.tokenToId(content) ?? -1 };
  const single = typeof template === 'string' ? template : named('default');
  return {
    name: family,
    separatorId: library.tokenToId(config.eos_token ?? '') ?? -1,
    specialTokens: {
      bos: token(config.bos_token),
      eos: token(config.eos_token),
      pad: token(config.pad_token),
      unk: token(config.unk_token),
    },
    chatTemplate: existsSync(own) ? readFileSync(own, 'utf8') : single,
    toolTemplate: named('tool_use'),
    encode: async (text, { special = false } = {}) =>
      Uint32Array.from((await library.encode(text, null, { addSpecialTokens: special })).getIds()),
    encodeSpans: async (text) => {
      const encoding = await library.encode(text, null, { addSpecialTokens: false });
      const units = [0];
      for (const character of text) units.push(units[units.length - 1] + character.length);
      const offsets = encoding.getOffsets();
      return {
        ids: encoding.getIds(),
        begins: offsets.map(([begin]) => units[begin]),
        ends: offsets.map(([, end]) => units[end]),
      };
    },
    tokenId: (content) => library.tokenToId(content),
  };
}

/** Numbers with 0 where a mask is 0, as TRL's labels have −100. */
export const labelled = ({ tokens, trained }: { readonly tokens: Int32Array; readonly trained: Uint8Array }) =>
  Array.from(tokens, (token, index) => (trained[index] === 1 ? token : -100));
