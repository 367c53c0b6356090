/**
 * From the word in the topology file to a tokenizer: `bytes`, or `hf:` and the path of a `tokenizer.json`. A tokenizer's
 * `source` is such a word too, and may have the special tokens of `bytes` in it.
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { BadTokenizer } from '../errors.ts';
import { BytesTokenizer } from './bytes_tokenizer.ts';
import { HfTokenizer } from './hf_tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

const namesOfBytes = z.array(z.string());

/** Loads the tokenizer `name`, paths relative to `baseDir`; throws `BadTokenizer`. */
export function loadTokenizer(name: string, baseDir: string): Tokenizer {
  if (name === 'bytes') return new BytesTokenizer();
  if (name.startsWith('bytes+')) return new BytesTokenizer(namesOfBytes.parse(JSON.parse(name.slice('bytes+'.length))));
  if (name.startsWith('hf:') && name.length > 3) return new HfTokenizer(resolve(baseDir, name.slice(3)), name);
  throw new BadTokenizer(name, 'there is no such tokenizer', "use 'bytes' or 'hf:<path to tokenizer.json>'");
}
