/** The tokenizers that were recorded in `golden/tokenizers`, and what the library that defines their files gave with them. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { HfTokenizer } from '../../../src/data/index.ts';
import { scratchFolder } from '../scratch.ts';

const root = fileURLToPath(new URL('../golden/tokenizers', import.meta.url));
const ids = z.array(z.int());
const decoded = z.object({
  decoded: z.string().optional(),
  decoded_special: z.string().optional(),
  decoded_skip: z.string().optional(),
});
const cases = z.object({
  cases: z.array(
    decoded.extend({
      text: z.int(),
      ids,
      ids_special: ids.optional(),
      offsets: z.array(z.tuple([z.int(), z.int()])).optional(),
      long: z.boolean().optional(),
      tokenizers_0_22_2: decoded.optional(),
    }),
  ),
  decode_only: z.array(decoded.extend({ ids, tokenizers_0_22_2: decoded.optional() })),
  decode_stream: z.array(z.object({ ids, chunks: z.array(z.string().nullable()) })),
});

const read = (path: string): unknown => JSON.parse(readFileSync(`${root}/${path}`, 'utf8'));

export const texts = z.array(z.string()).parse(read('texts.json'));
export const names = readdirSync(root).filter((name) => existsSync(`${root}/${name}/cases.json`));
/** Those with the files that lie beside a `tokenizer.json`, and so with more than ids recorded. */
export const whole = names.filter((name) => existsSync(`${root}/${name}/tokenizer_config.json`));

export const recordOf = (name: string) => cases.parse(read(`${name}/cases.json`));

/** The tokenizer as it lies there. */
export const asItIs = (name: string): HfTokenizer => new HfTokenizer(`${root}/${name}/tokenizer.json`, `hf:${name}`);

/** With an end-of-document token, which training needs, whatever the file has. */
export function opened(name: string): HfTokenizer {
  const folder = scratchFolder();
  cpSync(`${root}/${name}`, folder, { recursive: true });
  const { model } = z.object({ model: z.object({ vocab: z.unknown() }) }).parse(read(`${name}/tokenizer.json`));
  const first = Array.isArray(model.vocab)
    ? z.array(z.tuple([z.string(), z.number()])).parse(model.vocab)[0][0]
    : Object.keys(model.vocab ?? {})[0];
  const config = whole.includes(name) ? z.looseObject({}).parse(read(`${name}/tokenizer_config.json`)) : {};
  writeFileSync(`${folder}/tokenizer_config.json`, JSON.stringify({ eos_token: first, ...config }));
  return new HfTokenizer(`${folder}/tokenizer.json`, `hf:${name}`);
}
