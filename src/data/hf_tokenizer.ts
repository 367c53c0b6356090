/**
 * A Hugging Face `tokenizer.json`, run by the `@huggingface/tokenizers` package. The `tokenizer_config.json` beside it is
 * optional and read for the end-of-sequence token only where it is there. Documents are encoded without special tokens:
 * packing puts the separator itself.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Tokenizer as HuggingFace } from '@huggingface/tokenizers';
import { z } from 'zod';
import { BadTokenizer, firstIssue } from './errors.ts';
import { tokenDtype, tokensAs } from './tokenizer.ts';
import type { TokenDecoder, TokenDtype, TokenIds, Tokenizer } from './tokenizer.ts';

/** End-of-document tokens of well-known tokenizers, tried in this order where no configuration names one. */
const KNOWN_SEPARATORS = ['</s>', '<|endoftext|>', '<|end_of_text|>', '<eos>', '<|eos|>', '[SEP]'];

const tokenizerFile = z.looseObject({ model: z.looseObject({}) });
const configFile = z.looseObject({
  eos_token: z.union([z.string(), z.looseObject({ content: z.string() })]).nullish(),
});

/** The tokenizer named `hf:<path to tokenizer.json>`. */
export class HfTokenizer implements Tokenizer {
  readonly name: string;
  readonly identity: string;
  readonly vocabSize: number;
  readonly separatorId: number;
  readonly #inner: HuggingFace;
  readonly #dtype: TokenDtype;

  /** Loads `path`; throws `BadTokenizer` if it cannot be read or has no end-of-document token. `name` is for messages. */
  constructor(path: string, name = `hf:${path}`) {
    const configPath = join(dirname(path), 'tokenizer_config.json');
    const text = readText(path, name);
    const configText = existsSync(configPath) ? readText(configPath, name) : '{}';
    const config = parse(configFile, configText, configPath, name);
    const definition = parse(tokenizerFile, text, path, name);
    try {
      this.#inner = new HuggingFace(definition, config);
    } catch (cause) {
      throw new BadTokenizer(name, `${path} is not understood: ${reasonOf(cause)}`, 'use a fast tokenizer file', cause);
    }
    this.name = name;
    this.identity = `hf/1/${createHash('sha256').update(text).update('\0').update(configText).digest('hex')}`;
    let maxId = -1;
    for (const id of this.#inner.get_vocab(true).values()) maxId = Math.max(maxId, id);
    this.vocabSize = maxId + 1;
    const eos = typeof config.eos_token === 'object' ? config.eos_token?.content : config.eos_token;
    const candidates = eos === undefined ? KNOWN_SEPARATORS : [eos];
    const separatorId = candidates.map((token) => this.#inner.token_to_id(token)).find((id) => id !== undefined);
    if (separatorId === undefined) {
      const remedy = `put an eos_token of its vocabulary into ${basename(configPath)} beside it`;
      throw new BadTokenizer(name, `none of ${candidates.join(' ')} is in its vocabulary`, remedy);
    }
    this.separatorId = separatorId;
    this.#dtype = tokenDtype(this.vocabSize);
  }

  encode(text: string): TokenIds {
    return tokensAs(this.#dtype, this.#inner.encode(text, { add_special_tokens: false }).ids);
  }

  decode(ids: Iterable<number>): string {
    const list = [...ids];
    return list.length === 0 ? '' : this.#inner.decode(list, { clean_up_tokenization_spaces: false });
  }

  decoder(): TokenDecoder {
    let ids: number[] = [];
    let shown = '';
    const rest = (text: string): string => {
      const fresh = text.slice(shown.length);
      shown = text;
      return fresh;
    };
    return {
      push: (id) => {
        ids.push(id);
        const text = this.decode(ids);
        // A trailing replacement character is a character whose other bytes may still come.
        return text.endsWith('\ufffd') ? '' : rest(text);
      },
      end: () => {
        const fresh = rest(this.decode(ids));
        ids = [];
        shown = '';
        return fresh;
      },
    };
  }
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BadTokenizer(name, `cannot read ${path}: ${reasonOf(cause)}`, 'check data.tokenizer', cause);
  }
}

function parse<T>(schema: z.ZodType<T>, text: string, path: string, name: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? firstIssue(cause) : reasonOf(cause);
    throw new BadTokenizer(name, `${path} is no tokenizer file: ${reason}`, 'check data.tokenizer', cause);
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
