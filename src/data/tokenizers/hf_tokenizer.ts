/**
 * A Hugging Face `tokenizer.json`, run by the library that defines the format, as a native add-on. The
 * `tokenizer_config.json` beside it is optional and read for the end-of-sequence token only. Documents are encoded whole,
 * without special tokens, whatever truncation or padding the file asks for: packing puts the separator itself.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type { Decoder, Tokenizer as Library } from '@anush008/tokenizers';
import { z } from 'zod';
import { BadTokenizer, firstIssue, TextNotEncoded } from '../errors.ts';
import { readSmallText } from '../small_text.ts';
import { tokenDtype, tokensAs } from './tokenizer.ts';
import type { TokenDecoder, TokenDtype, TokenIds, Tokenizer } from './tokenizer.ts';
import { checkDefinition, cutsOf, tokenizerFile } from './tokenizer_file.ts';

/** End-of-document tokens of well-known tokenizers, tried in this order where no configuration names one. */
const KNOWN_SEPARATORS = ['</s>', '<|endoftext|>', '<|end_of_text|>', '<eos>', '<|eos|>', '[SEP]'];

const configFile = z.looseObject({
  eos_token: z.union([z.string(), z.looseObject({ content: z.string() })]).nullish(),
});

/** The tokenizer named `hf:<path to tokenizer.json>`. */
export class HfTokenizer implements Tokenizer {
  readonly name: string;
  readonly source: string;
  readonly identity: string;
  readonly vocabSize: number;
  readonly separatorId: number;
  readonly cuts: 'lines' | 'whole';
  readonly #path: string;
  readonly #library: Library;
  readonly #decoder: Decoder | null;
  readonly #dtype: TokenDtype;

  /** Loads `path`; throws `BadTokenizer` if it cannot be read or has no end-of-document token. `name` is for messages. */
  constructor(path: string, name = `hf:${path}`) {
    const configPath = join(dirname(path), 'tokenizer_config.json');
    const text = readText(path, name);
    const configText = existsSync(configPath) ? readText(configPath, name) : '{}';
    const config = parse(configFile, configText, configPath, name);
    const definition = parse(tokenizerFile, text, path, name);
    checkDefinition(definition, path, name);
    this.#library = open(text, path, name);
    this.#decoder = this.#library.getDecoder();
    this.#path = path;
    this.name = name;
    this.source = `hf:${path}`;
    this.cuts = cutsOf(definition);
    this.identity = identityOf(text, configText);
    let maxId = -1;
    for (const id of Object.values(this.#library.getVocab(true))) maxId = Math.max(maxId, id);
    this.vocabSize = maxId + 1;
    this.separatorId = this.#separatorOf(config, configPath);
    this.#dtype = tokenDtype(this.vocabSize);
  }

  /** Throws `TextNotEncoded` where the file has no id for something in the text, nor one for what is unknown. */
  async encode(text: string): Promise<TokenIds> {
    let ids: number[];
    try {
      ids = (await this.#library.encode(text, null, { addSpecialTokens: false })).getIds();
    } catch (cause) {
      throw new TextNotEncoded(this.name, this.#path, text, cause);
    }
    return tokensAs(this.#dtype, ids);
  }

  async encodeUtf8(bytes: Buffer): Promise<TokenIds> {
    return await this.encode(bytes.toString('utf8'));
  }

  decode(ids: Iterable<number>): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = this.#library.idToToken(id);
      if (token !== null) tokens.push(token);
    }
    return this.#decoder === null ? tokens.join(' ') : this.#decoder.decode(tokens);
  }

  decoder(before: Iterable<number> = []): TokenDecoder {
    let ids = [...before];
    let shown = this.decode(ids);
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

  #separatorOf({ eos_token: named }: z.output<typeof configFile>, configPath: string): number {
    const eos = typeof named === 'object' ? named?.content : named;
    const candidates = eos === undefined ? KNOWN_SEPARATORS : [eos];
    const id = candidates.map((token) => this.#library.tokenToId(token)).find((found) => found !== null);
    if (id !== undefined) return id;
    const remedy = `put an eos_token of its vocabulary into ${basename(configPath)} beside it`;
    throw new BadTokenizer(this.name, `none of ${candidates.join(' ')} is in its vocabulary`, remedy);
  }
}

/** 2: the ids of the library that defines the format. Those of 1 differed from them for some texts of most files. */
const identityOf = (text: string, configText: string): string =>
  `hf/2/${createHash('sha256').update(text).update('\0').update(configText).digest('hex')}`;

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

function open(text: string, path: string, name: string): Library {
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

function readText(path: string, name: string): string {
  try {
    return readSmallText(path);
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
