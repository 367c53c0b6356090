/**
 * A text in pieces, so that one of any size takes a few megabytes. Where it may be cut depends on who reads the pieces:
 * see `Tokenizer.cuts`. What may not be cut is held whole, up to a size at which that is still sensible.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { isGzip } from './corpus_format.ts';
import { GzipFile } from './gzip_file.ts';
import { lineCut } from './text_lines.ts';
import type { Tokenizer } from './tokenizers/tokenizer.ts';

export interface Cutting {
  /** Bytes that a piece is to have, but for the last. */
  readonly target: number;
  /** Bytes that a piece has at most. */
  readonly most: number;
  /** Where bytes may be cut, as near to `target` as is allowed; null where they may not. */
  readonly at: (bytes: Buffer, target: number) => number | null;
}

/** A text that may not be cut where it would have to be. */
export class Uncuttable extends Error {
  readonly most: number;
  constructor(most: number) {
    super(`more than ${most} bytes without a place to cut`);
    this.most = most;
  }
}

/** A text has more bytes than are wanted of one. */
export class TooLarge extends Error {}

const MEBIBYTE = 2 ** 20;

/**
 * Seconds of work at most, after which an interrupt is seen. The library of `hf:` makes about 1.5 MB of ids a second.
 * Rows are cut between lines, since each is a document by itself.
 */
export const cuttings: Readonly<Record<Tokenizer['cuts'] | 'json' | 'rows', Cutting>> = {
  bytes: { target: MEBIBYTE, most: MEBIBYTE, at: (_, target) => target },
  lines: { target: MEBIBYTE / 4, most: 4 * MEBIBYTE, at: lineBreak },
  whole: { target: 4 * MEBIBYTE, most: 4 * MEBIBYTE, at: () => null },
  json: { target: 64 * MEBIBYTE, most: 64 * MEBIBYTE, at: () => null },
  rows: { target: MEBIBYTE / 4, most: 64 * MEBIBYTE, at: lineCut },
};

/** Puts bytes into a part of the room and says how many; 0 at the end. */
type Fill = (room: Buffer, at: number, most: number) => number | Promise<number>;

/** Cuts one text after another into pieces, in the same memory: each is gone when the next is asked for. */
export class PieceReader {
  #room = Buffer.alloc(2 ** 16);

  /**
   * The pieces of a file, or of the text in a gzip file. Throws what the file system says, `BadGzip`, `Uncuttable`, and
   * `TooLarge` where there are more than `mostBytes`.
   */
  async *read(path: string, cutting: Cutting, mostBytes: number): AsyncGenerator<Buffer> {
    let left = mostBytes;
    const counted = (got: number): number => {
      left -= got;
      if (left < 0) throw new TooLarge(path);
      return got;
    };
    if (isGzip(path)) {
      await using file = new GzipFile(path);
      yield* this.#cut(async (room, at, most) => counted(await file.read(room, at, most)), cutting);
      return;
    }
    const file = openSync(path, 'r');
    try {
      yield* this.#cut((room, at, most) => counted(readSync(file, room, at, most, null)), cutting);
    } finally {
      closeSync(file);
    }
  }

  /** The pieces of a text in memory; throws `Uncuttable`. */
  async *cut(text: Buffer, cutting: Cutting): AsyncGenerator<Buffer> {
    let taken = 0;
    yield* this.#cut((room, at, most) => {
      const got = text.copy(room, at, taken, taken + most);
      taken += got;
      return got;
    }, cutting);
  }

  async *#cut(fill: Fill, { target, most, at }: Cutting): AsyncGenerator<Buffer> {
    let held = 0;
    let wanted = target + 1;
    let isAtEnd = false;
    for (;;) {
      while (!isAtEnd && held < wanted) {
        if (held === this.#room.length) this.#room = Buffer.concat([this.#room], 2 * held);
        const got = await fill(this.#room, held, Math.min(wanted, this.#room.length) - held);
        isAtEnd = got === 0;
        held += got;
      }
      if (held === 0) return;
      const cut = held > target ? at(this.#room.subarray(0, held), target) : held;
      if (cut === null && held > most) throw new Uncuttable(most);
      if (cut === null && !isAtEnd) {
        wanted = Math.min(2 * held, most + 1);
        continue;
      }
      const end = cut ?? held;
      yield this.#room.subarray(0, end);
      this.#room.copyWithin(0, end, held);
      held -= end;
      wanted = target + 1;
    }
  }
}

const LINE_FEED = 0x0a;

/** After the first line break from `from` on that has a visible character before it and a letter or digit after it. */
function lineBreak(bytes: Buffer, from: number): number | null {
  for (let at = bytes.indexOf(LINE_FEED, Math.max(from, 4)); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (at + 1 < bytes.length && endsVisibly(bytes, at) && beginsWord(bytes[at + 1])) return at + 1;
  }
  return null;
}

/**
 * Whether a character that ends before `end` is surely no white space. Beyond ASCII that is a matter of its bytes: all
 * white space there begins with c2, e1, e2 or e3.
 */
function endsVisibly(bytes: Buffer, end: number): boolean {
  const last = bytes[end - 1];
  if (last < 0x80) return last > 0x20 && last < 0x7f;
  const isSpaceLead = (byte: number): boolean => byte === 0xc2 || (byte >= 0xe1 && byte <= 0xe3);
  return !isSpaceLead(bytes[end - 2]) && !(isSpaceLead(bytes[end - 3]) && bytes[end - 2] < 0xc0);
}

/** Whether a character that begins with this byte is an ASCII letter or digit, or a letter of Chinese or Korean. */
function beginsWord(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x7a) || (byte >= 0xe4 && byte <= 0xed);
}
