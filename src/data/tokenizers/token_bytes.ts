/**
 * How many bytes of text each token stands for, by which nats a token become bits a byte. For the tokens of a file that is found
 * out by decoding each between two others, so that it holds for whatever decoder the file has: what the text grows by is the
 * token's. Bytes that are no whole character cannot be decoded alone; they are counted by the alphabet that names them.
 */

/** A vocabulary, and how its tokens become text. */
export interface Vocabulary {
  readonly vocabSize: number;
  readonly tokens: ReadonlyMap<string, number>;
  /** Tokens that stand for themselves in a text. */
  readonly verbatim: ReadonlySet<string>;
  /** Ids that stand for no text. */
  readonly silent: ReadonlySet<number>;
  /** Null where the tokens are all that is known of their text. */
  readonly decode: ((tokens: string[]) => string) | null;
}

/** Bytes by id, [vocabulary size]; 0 for ids that stand for no text. */
export function bytesOfTokens({ vocabSize, tokens, verbatim, silent, decode }: Vocabulary): Uint32Array {
  const bytes = new Uint32Array(vocabSize);
  const bytesOf = decode === null ? bytesAsWritten : bytesBetween(decode);
  for (const [token, id] of tokens) {
    if (!silent.has(id)) bytes[id] = verbatim.has(token) ? Buffer.byteLength(token) : bytesOf(token);
  }
  return bytes;
}

/** What a text grows by with a token in it. */
function bytesBetween(decode: (tokens: string[]) => string): (token: string) => number {
  const between = (token: string): string => decode([BESIDE, token, BESIDE]);
  const around = Buffer.byteLength(decode([BESIDE, BESIDE]));
  // Whether a decoder knows names of bytes is told by what it makes of one.
  if (between('Ġ') === `${BESIDE} ${BESIDE}`) {
    return (token) => (isOfAlphabet(token) ? token.length : Buffer.byteLength(token));
  }
  const isByteFallback = between('<0x41>') === `${BESIDE}A${BESIDE}`;
  return (token) => (isByteFallback && BYTE.test(token) ? 1 : Math.max(0, Buffer.byteLength(between(token)) - around));
}

/** Without a decoder nobody knows which tokens had a space between them; none is counted. */
const bytesAsWritten = (token: string): number =>
  BYTE.test(token) ? 1 : Buffer.byteLength(token.replaceAll('▁', ' '));

/** A token that no decoder strips or cleans up. */
const BESIDE = 'a';

/** A byte that is no token of its own, in vocabularies of SentencePiece. */
const BYTE = /^<0x[0-9A-F]{2}>$/;

/** Each byte has one character of GPT-2's alphabet: its own where it is printable in Latin-1, else one from U+0100 to U+0143. */
const isOfAlphabet = (token: string): boolean => /^[!-~¡-¬®-ÿĀ-Ń]*$/u.test(token);
