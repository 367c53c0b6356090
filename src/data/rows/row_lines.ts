/**
 * The rows of a file as texts of JSON, cut out of its bytes as they arrive: a line each, or the members of one array. A
 * byte order mark, line breaks of either kind and blank lines are no part of them. No more than one row is held.
 */
import { isUtf8 } from 'node:buffer';
import { isMarkedUtf16, withoutMark } from '../byte_order_mark.ts';
import { BadRow, UnreadableRows } from './row_error.ts';

/** Text of one row, and the line on which it begins. */
export interface RowText {
  readonly line: number;
  readonly text: string;
}

/** Bytes of one row; a longer one is refused before it fills the memory. */
export const MOST_ROW_BYTES = 64 * 2 ** 20;

const [NEWLINE, RETURN, BLANK, TAB] = [0x0a, 0x0d, 0x20, 0x09];
const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [0x5b, 0x5d, 0x7b, 0x7d];

const isSpace = (byte: number): boolean => byte === NEWLINE || byte === RETURN || byte === BLANK || byte === TAB;

/** Cuts pieces of a file into rows. What begins with `[` is an array of rows, anything else lines. */
export class RowLines {
  readonly #path: string;
  readonly #mostBytes: number;
  #form: 'unknown' | 'lines' | 'array' | 'ended' = 'unknown';
  /** The row begun so far, and the line on which it begins. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #line = 1;
  #rowLine = 1;
  /** Of an array: brackets open inside of a member, and whether the place is inside of a text, behind a backslash. */
  #depth = 0;
  #isText = false;
  #isEscaped = false;
  /** Whether a member has to come, may come or must not, before the next comma. */
  #expects: 'first' | 'member' | 'comma' = 'first';

  constructor(path: string, mostBytes = MOST_ROW_BYTES) {
    this.#path = path;
    this.#mostBytes = mostBytes;
  }

  /** The rows that end in this piece. Throws `BadRow` and `UnreadableRows`. */
  *push(piece: Buffer, isLast = false): Generator<RowText> {
    const rest = this.#form === 'unknown' ? this.#opening(piece, isLast) : piece;
    if (rest.length === 0) return;
    yield* this.#form === 'lines' ? this.#lines(rest) : this.#members(rest);
  }

  /** The last row, which may end with the file. */
  *end(): Generator<RowText> {
    if (this.#form === 'unknown') yield* this.push(Buffer.alloc(0), true);
    if (this.#form === 'array') {
      throw new BadRow(
        this.#place(this.#line),
        null,
        'the array of rows does not end',
        'the file is cut short: restore it',
      );
    }
    yield* this.#row();
  }

  /** Decides what the file is by its first bytes; what is not needed for that is given back. */
  #opening(piece: Buffer, isLast: boolean): Buffer {
    const start = Buffer.concat([...this.#held, piece]);
    this.#held = [start];
    this.#heldBytes = start.length;
    if (start.length < 4 && !isLast) return Buffer.alloc(0);
    if (isMarkedUtf16(start.subarray(0, start.length - (start.length % 2)))) {
      throw new UnreadableRows(this.#path, 'it is UTF-16, not UTF-8', 'save it as UTF-8');
    }
    const text = withoutMark(start);
    const first = text.findIndex((byte) => !isSpace(byte));
    if (first < 0 && text.length < this.#mostBytes && !isLast) return Buffer.alloc(0);
    this.#held = [];
    this.#heldBytes = 0;
    if (text[first] !== OPEN_LIST) {
      this.#form = 'lines';
      return text;
    }
    this.#form = 'array';
    this.#line += text.subarray(0, first).reduce((count, byte) => count + Number(byte === NEWLINE), 0);
    return text.subarray(first + 1);
  }

  *#lines(piece: Buffer): Generator<RowText> {
    let at = 0;
    for (let next = piece.indexOf(NEWLINE); next >= 0; next = piece.indexOf(NEWLINE, at)) {
      this.#hold(piece.subarray(at, next));
      yield* this.#row();
      this.#line += 1;
      this.#rowLine = this.#line;
      at = next + 1;
    }
    this.#hold(piece.subarray(at));
  }

  *#members(piece: Buffer): Generator<RowText> {
    let begin = 0;
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at];
      if (byte === NEWLINE) this.#line += 1;
      if (this.#isText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isText = false;
      } else if (this.#depth > 0) {
        if (byte === QUOTE) this.#isText = true;
        else if (byte === OPEN || byte === OPEN_LIST) this.#depth += 1;
        else if (byte === CLOSE || byte === CLOSE_LIST) {
          this.#depth -= 1;
          if (this.#depth > 0) continue;
          this.#hold(piece.subarray(begin, at + 1));
          yield* this.#row();
          this.#expects = 'comma';
        }
      } else if (!isSpace(byte)) {
        this.#between(byte);
        begin = at;
      }
    }
    if (this.#depth > 0) this.#hold(piece.subarray(begin));
  }

  /** A byte between the members of an array. */
  #between(byte: number): void {
    if (this.#form === 'array' && this.#expects !== 'comma' && byte === OPEN) {
      this.#depth = 1;
      this.#rowLine = this.#line;
    } else if (this.#form === 'array' && this.#expects === 'comma' && byte === COMMA) this.#expects = 'member';
    else if (this.#form === 'array' && this.#expects !== 'member' && byte === CLOSE_LIST) this.#form = 'ended';
    else {
      const found = `${JSON.stringify(String.fromCharCode(byte))} where ${this.#form === 'ended' ? 'the file' : 'a row of the array'} should ${this.#form === 'ended' ? 'end' : 'begin or end'}`;
      throw new BadRow(this.#place(this.#line), null, found, 'write an array of objects, or one object a line');
    }
  }

  #hold(part: Buffer): void {
    if (part.length === 0) return;
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#mostBytes) {
      const found = `the row has more than ${this.#mostBytes / 2 ** 20} MiB`;
      throw new BadRow(this.#place(this.#rowLine), null, found, 'cut it, or check that each row has a line of its own');
    }
    // A piece may be used again for what is read next.
    this.#held.push(Buffer.from(part));
  }

  *#row(): Generator<RowText> {
    if (this.#heldBytes === 0) return;
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    if (!isUtf8(bytes)) {
      throw new BadRow(this.#place(this.#rowLine), null, 'it is not UTF-8', 'save the file as UTF-8');
    }
    const text = bytes.toString('utf8');
    if (text.trim() !== '') yield { line: this.#rowLine, text };
  }

  #place(line: number): { readonly path: string; readonly line: number } {
    return { path: this.#path, line };
  }
}
