/**
 * A Hugging Face `tokenizer.json`, run by the library that defines the format, as a native add-on, with what the files
 * beside it say of special tokens and chat templates. Documents are encoded whole, without special tokens unless they are
 * asked for, whatever truncation or padding the file wants: packing puts the separator itself.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { BadTokenizer, TextNotEncoded } from '../errors.ts';
import { DecodeStream } from './decode_stream.ts';
import { openLibrary, type Decoder, type Encoding, type Library } from './hf_library.ts';
import { parsed, textOf } from './json_file.ts';
import type { SpecialToken, SpecialTokens } from './special_tokens.ts';
import { bytesOfTokens } from './token_bytes.ts';
import { tokenDtype, tokensAs } from './tokenizer.ts';
import type {
  DecodeOptions,
  EncodeOptions,
  TokenDecoder,
  TokenDtype,
  TokenIds,
  Tokenizer,
  TokenSpans,
} from './tokenizer.ts';
import { readTokenizerConfig, specialTokensOf, type TokenizerConfig } from './tokenizer_config.ts';
import { checkDefinition, cutsOf, putsAround, tokenizerFile } from './tokenizer_file.ts';

/** End-of-document tokens of well-known tokenizers, tried in this order where no configuration names one. */
const KNOWN_SEPARATORS = ['</s>', '<|endoftext|>', '<|end_of_text|>', '<eos>', '<|eos|>', '[SEP]'];

/** The tokenizer named `hf:<path to tokenizer.json>`. */
export class HfTokenizer implements Tokenizer {
  readonly name: string;
  readonly source: string;
  readonly identity: string;
  readonly vocabSize: number;
  readonly separatorId: number;
  readonly cuts: 'lines' | 'whole';
  readonly putsAround: boolean;
  /** `eos` is the separator's also where no configuration names one. */
  readonly specialTokens: SpecialTokens;
  readonly chatTemplate: string | null;
  readonly toolTemplate: string | null;
  readonly #path: string;
  readonly #library: Library;
  readonly #decoder: Decoder | null;
  readonly #dtype: TokenDtype;
  /** Ids that are tokens, and those of them that are special. */
  readonly #ids: ReadonlySet<number>;
  readonly #specialIds: ReadonlySet<number>;
  /** Added tokens that are not special. */
  readonly #verbatim: ReadonlySet<string>;

  /** Loads `path`; throws `BadTokenizer` if it cannot be read or has no end-of-document token. `name` is for messages. */
  constructor(path: string, name = `hf:${path}`) {
    const text = textOf(path, name);
    const config = readTokenizerConfig(path, name);
    const definition = parsed(tokenizerFile, text, path, name);
    checkDefinition(definition, path, name);
    this.#library = openLibrary(text, path, name);
    this.#decoder = this.#library.getDecoder();
    this.#path = path;
    this.name = name;
    this.source = `hf:${path}`;
    this.cuts = cutsOf(definition);
    this.putsAround = putsAround(definition);
    this.identity = identityOf(text, config);
    this.#ids = new Set(Object.values(this.#library.getVocab(true)));
    let maxId = -1;
    for (const id of this.#ids) maxId = Math.max(maxId, id);
    this.vocabSize = maxId + 1;
    this.#dtype = tokenDtype(this.vocabSize);
    const added = (definition.added_tokens ?? []).map(({ content = '', special = false }) => ({ content, special }));
    const specials = added.filter(({ special }) => special);
    this.#specialIds = new Set(specials.map(({ content }) => this.tokenId(content) ?? -1));
    this.#verbatim = new Set(added.flatMap(({ content, special }) => (special ? [] : [content])));
    const named = specialTokensOf(config, name, (content) => this.tokenId(content));
    const eos = named.eos ?? this.#knownSeparator(config);
    this.separatorId = eos.id;
    this.specialTokens = { ...named, eos };
    this.chatTemplate = config.chatTemplate;
    this.toolTemplate = config.toolTemplate;
  }

  /** Throws `TextNotEncoded` where the file has no id for something in the text, nor one for what is unknown. */
  async encode(text: string, { special = false }: EncodeOptions = {}): Promise<TokenIds> {
    return tokensAs(this.#dtype, (await this.#encoding(text, special)).getIds());
  }

  async encodeUtf8(bytes: Buffer): Promise<TokenIds> {
    return await this.encode(bytes.toString('utf8'));
  }

  async encodeSpans(text: string): Promise<TokenSpans> {
    const encoding = await this.#encoding(text, false);
    const offsets = encoding.getOffsets();
    const units = unitsOf(text);
    const unitOf = (point: number): number => (units === null ? point : units[point]);
    return {
      ids: tokensAs(this.#dtype, encoding.getIds()),
      begins: Uint32Array.from(offsets, ([begin]) => unitOf(begin)),
      ends: Uint32Array.from(offsets, ([, end]) => unitOf(end)),
    };
  }

  tokenId(content: string): number | null {
    return this.#library.tokenToId(content);
  }

  hasId(id: number): boolean {
    return this.#ids.has(id);
  }

  byteCounts(): Uint32Array {
    const named = Object.values(this.specialTokens).flatMap((token: SpecialToken | null) => token?.id ?? []);
    return bytesOfTokens({
      vocabSize: this.vocabSize,
      tokens: new Map(Object.entries(this.#library.getVocab(true))),
      verbatim: this.#verbatim,
      silent: new Set([...this.#specialIds, ...named, this.separatorId]),
      decode: this.#decoder === null ? null : (tokens) => this.#textOf(tokens),
    });
  }

  decode(ids: Iterable<number>, { skipSpecial = false }: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = skipSpecial && this.#specialIds.has(id) ? null : this.#library.idToToken(id);
      if (token !== null) tokens.push(token);
    }
    return this.#textOf(tokens);
  }

  #textOf(tokens: string[]): string {
    return this.#decoder === null ? tokens.join(' ') : this.#decoder.decode(tokens);
  }

  decoder(before: Iterable<number> = []): TokenDecoder {
    return new DecodeStream((ids) => this.decode(ids), [...before]);
  }

  async #encoding(text: string, addSpecialTokens: boolean): Promise<Encoding> {
    try {
      return await this.#library.encode(text, null, { addSpecialTokens });
    } catch (cause) {
      throw new TextNotEncoded(this.name, this.#path, text, cause);
    }
  }

  #knownSeparator({ path }: TokenizerConfig): { readonly content: string; readonly id: number } {
    for (const content of KNOWN_SEPARATORS) {
      const id = this.tokenId(content);
      if (id !== null) return { content, id };
    }
    const reason = `it names no eos_token, and none of ${KNOWN_SEPARATORS.join(' ')} is in its vocabulary`;
    throw new BadTokenizer(this.name, reason, `put an eos_token of its vocabulary into ${basename(path)} beside it`);
  }
}

/**
 * For each code point of a text, which the library counts in, and for its end, the UTF-16 unit that it begins at; null where
 * both are equal.
 */
function unitsOf(text: string): Uint32Array | null {
  const lengths = Array.from(text, ({ length }) => length);
  if (lengths.length === text.length) return null;
  const units = new Uint32Array(lengths.length + 1);
  for (const [at, length] of lengths.entries()) units[at + 1] = units[at] + length;
  return units;
}

/**
 * 2: the ids of the library that defines the format. Those of 1 differed from them for some texts of most files. The third
 * text counts where it alone names the separator.
 */
function identityOf(text: string, { text: configText, special, path }: TokenizerConfig): string {
  const hash = createHash('sha256').update(text).update('\0').update(configText);
  if (special.eos !== null && special.eos.file !== path) hash.update('\0').update(special.eos.content);
  return `hf/2/${hash.digest('hex')}`;
}
