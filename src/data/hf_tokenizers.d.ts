/**
 * What this layer uses of `@huggingface/tokenizers`, whose own declarations import without extensions and therefore do
 * not resolve under Node's module rules.
 */
declare module '@huggingface/tokenizers' {
  export class Tokenizer {
    constructor(tokenizer: object, config: object);
    encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
    decode(ids: number[], options: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean }): string;
    token_to_id(token: string): number | undefined;
    get_vocab(withAddedTokens: boolean): Map<string, number>;
  }
}
