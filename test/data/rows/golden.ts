/**
 * Data that the released libraries computed (transformers 5.18.0, trl 1.13.0, jinja2 3.1.6), in `../golden/`, and a tokenizer
 * for each of its chat templates. Rows that trl collates are kept without their padding.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { loadTokenizer, type Tokenizer } from '../../../src/data/index.ts';
import { parseRow } from '../../../src/data/rows/row_json.ts';

export const FAMILIES = [
  'chatml',
  'folded_system',
  'generation_markers',
  'llama3_headers',
  'mistral_inst',
  'tools',
  'zephyr_bars',
];

export const goldenPath = (file: string): string => join(import.meta.dirname, '../golden', file);
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

/** The tokenizer of a template's family. */
export const goldenTokenizer = (family: string): Tokenizer =>
  loadTokenizer('hf:tokenizer.json', goldenPath(`chat/${family}`));

/** Numbers with 0 where a mask is 0, as TRL's labels have −100. */
export const labelled = ({ tokens, trained }: { readonly tokens: Int32Array; readonly trained: Uint8Array }) =>
  Array.from(tokens, (token, index) => (trained[index] === 1 ? token : -100));
