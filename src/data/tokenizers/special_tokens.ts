/**
 * The special tokens that templates and rows call by name, under the names of Hugging Face: `bos` is what a template knows
 * as `bos_token`.
 */

export interface SpecialToken {
  readonly content: string;
  readonly id: number;
}

type SpecialName = 'bos' | 'eos' | 'unk' | 'pad' | 'sep' | 'cls' | 'mask';

/** Something of each of them. */
export type PerSpecial<T> = Readonly<Record<SpecialName, T>>;

/** Null where a tokenizer has no such token. */
export type SpecialTokens = PerSpecial<SpecialToken | null>;

/** What a function gives for the name of each. */
export function eachSpecial<T>(of: (name: SpecialName) => T): PerSpecial<T> {
  return {
    bos: of('bos'),
    eos: of('eos'),
    unk: of('unk'),
    pad: of('pad'),
    sep: of('sep'),
    cls: of('cls'),
    mask: of('mask'),
  };
}
