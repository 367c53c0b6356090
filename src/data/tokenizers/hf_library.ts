/** The library that defines `tokenizer.json`, a native add-on, and a tokenizer of it that a file describes. */
import { createRequire } from 'node:module';
import type { Tokenizer as Library } from '@anush008/tokenizers';
import { BadTokenizer } from '../errors.ts';
import { reasonOf } from './json_file.ts';

export type { Decoder, Encoding, Tokenizer as Library } from '@anush008/tokenizers';

/** Opens the text of the file at `path`; throws `BadTokenizer`. `name` is for messages. */
export function openLibrary(text: string, path: string, name: string): Library {
  const tokenizers = loadLibrary(name);
  try {
    const library = tokenizers.fromString(text);
    // For a model's input. Of a document they would keep the beginning, and fill it up.
    library.disableTruncation();
    library.disablePadding();
    return library;
  } catch (cause) {
    throw new BadTokenizer(name, `${path} is not understood: ${reasonOf(cause)}`, 'use a fast tokenizer file', cause);
  }
}

/** Loaded only by runs that need it: not every platform has a build. */
function loadLibrary(name: string): Pick<typeof Library, 'fromString'> {
  try {
    const library = createRequire(import.meta.url)('@anush008/tokenizers') as { readonly Tokenizer: typeof Library };
    return library.Tokenizer;
  } catch (cause) {
    const reason = `@anush008/tokenizers, which reads such files, cannot be loaded on ${process.platform}-${process.arch}`;
    throw new BadTokenizer(name, `${reason}: ${reasonOf(cause)}`, "npm install it, or use 'bytes'", cause);
  }
}
