/**
 * From the word in the topology file to a tokenizer: `bytes`, or `hf:` and the path of a `tokenizer.json`.
 */
import { resolve } from 'node:path';
import { BytesTokenizer } from './bytes_tokenizer.ts';
import { BadTokenizer } from '../errors.ts';
import { HfTokenizer } from './hf_tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Loads the tokenizer `name`, paths relative to `baseDir`; throws `BadTokenizer`. */
export function loadTokenizer(name: string, baseDir: string): Tokenizer {
  if (name === 'bytes') return new BytesTokenizer();
  if (name.startsWith('hf:') && name.length > 3) return new HfTokenizer(resolve(baseDir, name.slice(3)), name);
  throw new BadTokenizer(name, 'there is no such tokenizer', "use 'bytes' or 'hf:<path to tokenizer.json>'");
}
