/**
 * What to train on: text files named by globs, blended by weight. Globs and paths are relative to the topology file, so
 * a config and its texts can move together.
 */
import { z } from 'zod';
import { byteSize, choice, globs, positive } from './kinds.ts';

const columnsSchema = z.strictObject({
  text: z.string().min(1).default('text').describe('Key of the text in a row of a `jsonl` file.'),
});

export const corpusSchema = z
  .strictObject({
    name: z.string().min(1).describe('Name of the corpus, in logs and in the cache.'),
    glob: globs().describe('Files to read, relative to the topology file.'),
    exclude: globs().optional().describe('Files to leave out.'),
    weight: positive().default(1).describe('Share of the blend, relative to the other weights.'),
    format: choice(['auto', 'text', 'jsonl', 'json_strings'])
      .default('auto')
      .describe(
        '`text`: a file is a document. `jsonl`: each line is one, an object with `text`. `auto`: `jsonl` for names that end in ' +
          '.jsonl or .ndjson, else `text`. `json_strings`: all string values of a JSON file are one document. With any, a name ' +
          'that also ends in .gz is of a compressed file.',
      ),
    columns: columnsSchema.prefault({}).describe('Keys of rows, by what is found there.'),
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
  held_out: z.number().gt(0).lt(0.5).default(0.02).describe('Fraction of every corpus kept for evaluation.'),
  cache_dir: z
    .string()
    .min(1)
    .default('.corpora')
    .describe('Where packed corpora are kept, relative to the topology file; safe to delete.'),
});
