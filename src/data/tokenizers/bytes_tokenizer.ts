/**
 * The tokenizer of the quickstart: a token is a byte of UTF-8. Vocabulary 256; byte 0 ends a document, so a byte 0 inside
 * one is dropped. Nothing to download, nothing out of vocabulary, and losses compare between any two corpora.
 */
import { TextDecoder } from 'node:util';
import type { TokenDecoder, Tokenizer } from './tokenizer.ts';

const SEPARATOR = 0;

/** The tokenizer named `bytes`. */
export class BytesTokenizer implements Tokenizer {
  readonly name = 'bytes';
  readonly source = 'bytes';
  readonly identity = 'bytes/1';
  readonly vocabSize = 256;
  readonly separatorId = SEPARATOR;
  readonly cuts = 'bytes';

  encode(text: string): Uint8Array {
    return this.encodeUtf8(Buffer.from(text, 'utf8'));
  }

  encodeUtf8(bytes: Buffer): Uint8Array {
    return bytes.includes(SEPARATOR) ? bytes.filter((byte) => byte !== SEPARATOR) : bytes;
  }

  decode(ids: Iterable<number>): string {
    return utf8().decode(Uint8Array.from(ids));
  }

  /** A text has all bytes of its characters, so that what follows depends on none of it. */
  decoder(): TokenDecoder {
    let stream = utf8();
    return {
      push: (id) => stream.decode(Uint8Array.of(id), { stream: true }),
      end: () => {
        const rest = stream.decode();
        stream = utf8();
        return rest;
      },
    };
  }
}

/** A byte order mark is text like any other: it must survive a round trip. */
function utf8(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}
