/** A JSON file of a tokenizer, read whole and checked; whatever is wrong with it is one line that names the file. */
import { z } from 'zod';
import { BadTokenizer, firstIssue } from '../errors.ts';
import { readSmallText } from '../small_text.ts';

/** The text of a file of the tokenizer `name`. Throws `BadTokenizer`. */
export function textOf(path: string, name: string): string {
  try {
    return readSmallText(path);
  } catch (cause) {
    throw new BadTokenizer(name, `cannot read ${path}: ${reasonOf(cause)}`, 'check data.tokenizer', cause);
  }
}

/** What a text of the file `path` says. Throws `BadTokenizer`. */
export function parsed<T>(schema: z.ZodType<T>, text: string, path: string, name: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? firstIssue(cause) : reasonOf(cause);
    throw new BadTokenizer(name, `${path} is no tokenizer file: ${reason}`, 'check data.tokenizer', cause);
  }
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
