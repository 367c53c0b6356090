/**
 * What to train on: text files named by globs, blended by weight. Globs and paths are relative to the topology file, so
 * a config and its texts can move together.
 */
import { z } from 'zod';
import { byteSize, choice, globs, weight } from './kinds.ts';

/** Keys that rows of data have; a file may call them otherwise. */
export const rowKeys: readonly string[] = [
  ...['text', 'messages', 'conversations', 'tools', 'chat_template_kwargs', 'prompt', 'completion'],
  ...['instruction', 'input', 'output', 'system', 'history', 'chosen', 'rejected', 'chosen_reward', 'rejected_reward'],
  ...['margin', 'context', 'completions', 'response'],
  ...['helpfulness', 'correctness', 'coherence', 'complexity', 'verbosity'],
];

const columnsSchema = z
  .record(z.string(), z.string().min(1))
  .meta({ allowed: 'a mapping of keys of rows to names that the files have for them' })
  .describe('What the files call keys of rows, where it is something else: `{ text: body }`.');

export const corpusSchema = z
  .strictObject({
    name: z.string().min(1).describe('Name of the corpus, in logs and in the cache.'),
    glob: globs().describe('Files to read, relative to the topology file.'),
    exclude: globs().optional().describe('Files to leave out.'),
    weight: weight()
      .default(1)
      .describe('Share of the blend, relative to the other weights; or percentages for all corpora, of 100% in all.'),
    format: choice(['auto', 'text', 'jsonl', 'json_strings', 'rows'])
      .default('auto')
      .describe(
        '`text`: a file is a document. `jsonl`: each line is one, an object with `text`. `auto`: `jsonl` for names that end in ' +
          '.jsonl or .ndjson, else `text`. `json_strings`: all string values of a JSON file are one document. `rows`: rows of data, ' +
          'each a sample of its own: chats, attributes, texts. With any, a name that also ends in .gz is of a compressed file.',
      ),
    columns: columnsSchema.default({}),
    max_file_bytes: byteSize()
      .default(2 ** 20)
      .describe('Larger files are left out, unpacked if they are compressed; `jsonl` files may have any size.'),
  })
  .describe('A corpus: the documents that a glob finds.');

export const dataSchema = z.strictObject({
  tokenizer: z
    .string()
    .regex(/^(bytes|hf:.+)$/)
    .meta({ allowed: '`bytes`, or `hf:` and the path of a tokenizer.json' })
    .default('bytes')
    .describe('`bytes` (vocabulary 256), or `hf:PATH` of a Hugging Face tokenizer.json.'),
  blend: z
    .array(corpusSchema)
    .min(1)
    .prefault([{ name: 'text', glob: '**/*.{md,txt}' }])
    .describe('The corpora.'),
  rows: globs()
    .exactOptional()
    .describe('Files of rows of data, in the place of `blend`: short for one corpus with `format: rows`.'),
  train_on: choice(['assistant', 'completion', 'all'])
    .default('assistant')
    .describe(
      'What is learnt of a row of data: the turns of the assistant, all that follows its prompt, or everything. Of a text all is.',
    ),
  pack: z
    .boolean()
    .default(false)
    .describe('Put several rows of data into one sequence, of which none sees another; else each has one of its own.'),
  keep: choice(['start', 'end'])
    .default('start')
    .describe('What is kept of a row of data that is longer than a sequence.'),
  overlong: choice(['truncate', 'drop'])
    .default('truncate')
    .describe('What becomes of an answer with attributes that is longer than a sequence.'),
  template_date: z.iso
    .date()
    .exactOptional()
    .describe(
      'The day that chat templates see as today, where they ask for it: never the clock, so that a run can be resumed.',
    ),
  held_out: z.number().gt(0).lt(0.5).default(0.02).describe('Fraction of every corpus kept for evaluation.'),
  cache_dir: z
    .string()
    .min(1)
    .default('.corpora')
    .describe('Where packed corpora are kept, relative to the topology file; safe to delete.'),
});
