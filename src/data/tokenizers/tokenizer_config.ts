/**
 * The files beside a `tokenizer.json`: `tokenizer_config.json` and the older `special_tokens_map.json` name special tokens,
 * and chat templates are in the first of them or, which wins, in `chat_template.jinja`. Each may be missing.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { BadTokenizer } from '../errors.ts';
import { parsed, textOf } from './json_file.ts';
import { eachSpecial, type PerSpecial, type SpecialTokens } from './special_tokens.ts';

const token = z
  .union([z.string(), z.looseObject({ content: z.string() })], 'it is neither a text nor a token')
  .nullish();

const namedTokens = z.looseObject({
  bos_token: token,
  eos_token: token,
  unk_token: token,
  pad_token: token,
  sep_token: token,
  cls_token: token,
  mask_token: token,
});
type NamedTokens = z.output<typeof namedTokens>;

const template = z.strictObject({ name: z.string(), template: z.string() });

const configFile = namedTokens.extend({
  chat_template: z
    .union([z.string(), z.array(template)], 'it is neither a template nor a list of {name, template}')
    .nullish(),
});
type ConfigFile = z.output<typeof configFile>;

/** What they say of a tokenizer. */
export interface TokenizerConfig {
  /** Path of `tokenizer_config.json`, whether there is one. */
  readonly path: string;
  /** Its text, `{}` where there is none. */
  readonly text: string;
  /** The text of each special token, and the file that says so; null where none does. */
  readonly special: PerSpecial<{ readonly content: string; readonly file: string } | null>;
  readonly chatTemplate: string | null;
  readonly toolTemplate: string | null;
}

/** Reads what lies beside the `tokenizer.json` at `path`; throws `BadTokenizer`. `name` is for messages. */
export function readTokenizerConfig(path: string, name: string): TokenizerConfig {
  const beside = (file: string): string => join(dirname(path), file);
  const textIn = (file: string): string | null => (existsSync(beside(file)) ? textOf(beside(file), name) : null);
  const configPath = beside('tokenizer_config.json');
  const text = textIn('tokenizer_config.json') ?? '{}';
  const config = parsed(configFile, text, configPath, name);
  const mapPath = beside('special_tokens_map.json');
  const map = parsed(namedTokens, textIn('special_tokens_map.json') ?? '{}', mapPath, name);
  const own = textIn('chat_template.jinja');
  return {
    path: configPath,
    text,
    special: eachSpecial((special) => {
      const key = `${special}_token` as const;
      const [ofConfig, ofMap] = [contentOf(config[key]), contentOf(map[key])];
      if (ofConfig !== null) return { content: ofConfig, file: configPath };
      return ofMap === null ? null : { content: ofMap, file: mapPath };
    }),
    chatTemplate: own ?? templateOf(config, 'default'),
    toolTemplate:
      textIn('additional_chat_templates/tool_use.jinja') ?? (own === null ? templateOf(config, 'tool_use') : null),
  };
}

/** The ids of special tokens. Throws `BadTokenizer` for one that the vocabulary has not. */
export function specialTokensOf(
  { special }: TokenizerConfig,
  name: string,
  tokenId: (content: string) => number | null,
): SpecialTokens {
  return eachSpecial((which) => {
    const named = special[which];
    if (named === null) return null;
    const id = tokenId(named.content);
    if (id !== null) return { content: named.content, id };
    const reason = `${named.file} has the ${which}_token ${JSON.stringify(named.content)}, which is not in its vocabulary`;
    throw new BadTokenizer(name, reason, 'name one that is, or add it to added_tokens in the tokenizer.json');
  });
}

const contentOf = (of: NamedTokens['eos_token']): string | null => (typeof of === 'object' ? of?.content : of) ?? null;

/** A single template is the default one. */
function templateOf({ chat_template: of }: ConfigFile, name: 'default' | 'tool_use'): string | null {
  if (typeof of === 'string') return name === 'default' ? of : null;
  return of?.find((each) => each.name === name)?.template ?? null;
}
